// One invocation per output pixel.
@group(0) @binding(0) var<storage, read> source_: array<T0>;
@group(0) @binding(1) var<storage, read_write> target_: array<T1>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let row = i / p.columns;
  let column = i32(i - row * p.columns);
  let line = column / p.resized_width;
  let image = line / p.resized_height;
  let y = tapsAt(vertical(), line - image * p.resized_height);
  let x = tapsAt(horizontal(), column - line * p.resized_width);
  let plane = i32(row * p.input_stride) + image * p.height * p.width;
  let upper = plane + y.first * p.width;
  var value = f32(source_[upper + x.first]);
  if (p.rounding == 0u) {
    let lower = plane + y.second * p.width;
    value = mix(
      mix(value, f32(source_[upper + x.second]), x.share),
      mix(f32(source_[lower + x.first]), f32(source_[lower + x.second]), x.share),
      y.share,
    );
  }
  target_[row * p.stride + u32(column)] = T1(value);
}
