// d data[outer, j, inner] = sum over those k with indices[outer, k, inner] = j, in order, of dy[outer, k, inner].
struct Parameters { count: u32, inner: u32, size: u32, chosen: u32, missing: f32 }
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
  let line = i / p.inner;
  let outer = line / p.size;
  let index = line - outer * p.size;
  var sum = 0.0;
  for (var k = 0u; k < p.chosen; k++) {
    let at = (outer * p.chosen + k) * p.inner + i % p.inner;
    if (indices[at] == index) {
      sum += f32(dy[at]);
    }
  }
  dx[i] = T2(sum);
}
