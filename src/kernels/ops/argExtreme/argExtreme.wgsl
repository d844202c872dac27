// y[outer, inner] = the k at which x[outer, k, inner] is largest or smallest.
struct Parameters { count: u32, inner: u32, size: u32, smallest: u32, last: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let outer = i / p.inner;
  let start = outer * p.size * p.inner + (i - outer * p.inner);
  let sign = select(1.0, -1.0, p.smallest == 1u);
  var best = 0u;
  var top = sign * f32(x[start]);
  for (var k = 1u; k < p.size; k++) {
    let value = sign * f32(x[start + k * p.inner]);
    if (value > top || (p.last == 1u && value == top)) {
      top = value;
      best = k;
    }
  }
  y[i] = T1(f32(best));
}
