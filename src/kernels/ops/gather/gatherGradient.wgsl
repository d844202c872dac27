// d data[row, outer, j, inner] = sum over those k with indices[k] = j, in order, of dy[row, outer, k, inner].
struct Parameters { count: u32, per_row: u32, inner: u32, size: u32, chosen: u32, data_stride: u32, stride: u32, missing: f32 }
@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let row = i / p.per_row;
  let element = i - row * p.per_row;
  let line = element / p.inner;
  let outer = line / p.size;
  let index = line - outer * p.size;
  let start = row * p.stride + outer * p.chosen * p.inner + (element - line * p.inner);
  var sum = 0.0;
  for (var k = 0u; k < p.chosen; k++) {
    if (indices[k] == index) {
      sum += f32(dy[start + k * p.inner]);
    }
  }
  dx[row * p.data_stride + element] = T2(sum);
}
