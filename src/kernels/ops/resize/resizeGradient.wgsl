// One invocation per input pixel: the gradients of the output pixels that it had a share in, in order.
@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(1) var<storage, read_write> dx: array<T1>;

// First and last place whose neighbours can be `at`: those less than 1 away, and all beyond the outermost ones.
fn reach(axis: Axis, at: i32) -> vec2i {
  let last = axis.resized - 1;
  if (axis.step == 0) {
    return vec2i(0, last);
  }
  let low = floorDivide((at - 1) * axis.divisor - axis.start, axis.step);
  let high = floorDivide((at + 1) * axis.divisor - axis.start, axis.step) + 1;
  return vec2i(select(clamp(low, 0, last), 0, at == 0), select(clamp(high, 0, last), last, at == axis.size - 1));
}

fn shareOf(taps: Taps, at: i32) -> f32 {
  return select(0.0, 1.0 - taps.share, taps.first == at) + select(0.0, taps.share, taps.second == at);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let row = i / p.columns;
  let column = i32(i - row * p.columns);
  let line = column / p.width;
  let image = line / p.height;
  let atY = line - image * p.height;
  let atX = column - line * p.width;
  let ys = reach(vertical(), atY);
  let xs = reach(horizontal(), atX);
  let plane = i32(row * p.stride) + image * p.resized_height * p.resized_width;
  var sum = 0.0;
  for (var y = ys.x; y <= ys.y; y++) {
    let share = shareOf(tapsAt(vertical(), y), atY);
    if (share == 0.0) {
      continue;
    }
    var total = 0.0;
    for (var x = xs.x; x <= xs.y; x++) {
      let part = shareOf(tapsAt(horizontal(), x), atX);
      if (part != 0.0) {
        total += part * f32(dy[plane + y * p.resized_width + x]);
      }
    }
    sum += share * total;
  }
  dx[row * p.input_stride + u32(column)] = T1(sum);
}
