// Gradient of padding one dimension by its border: element j of `size` gets the gradient of its own place j + before, of all
// places past the edge where it is the outermost (border 1), of its mirror images around the outermost ones (border 2), or of
// all its repetitions (border 3). `p` is put behind it as a constant.
struct Parameters { count: u32, per_row: u32, inner: i32, size: i32, padded: i32, before: i32, border: u32, stride: u32, padded_stride: u32 }
@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(1) var<storage, read_write> dx: array<T1>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let row = i / p.per_row;
  let element = i32(i - row * p.per_row);
  let line = element / p.inner;
  let outer = line / p.size;
  let j = line - outer * p.size;
  let start = i32(row * p.padded_stride) + outer * p.padded * p.inner + (element - line * p.inner);
  let own = j + p.before;
  var first = own;
  var last = own;
  if (p.border == 1u) {
    first = select(own, 0, j == 0);
    last = select(own, p.padded - 1, j == p.size - 1);
  }
  var sum = 0.0;
  for (var at = first; at <= last; at++) {
    sum += f32(dy[start + at * p.inner]);
  }
  if (p.border == 2u) {
    let left = p.before - j;
    if (j > 0 && left >= 0) {
      sum += f32(dy[start + left * p.inner]);
    }
    let right = p.before + 2 * (p.size - 1) - j;
    if (j < p.size - 1 && right < p.padded) {
      sum += f32(dy[start + right * p.inner]);
    }
  }
  if (p.border == 3u) {
    sum = 0.0;
    for (var at = own % p.size; at < p.padded; at += p.size) {
      sum += f32(dy[start + at * p.inner]);
    }
  }
  dx[row * p.stride + u32(element)] = T1(sum);
}
