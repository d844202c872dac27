// One line per invocation: y[k] = x[0] + ... + x[k], or up to k - 1 (exclusive), from the end where reversed.
struct Parameters { lines: u32, inner: u32, size: u32, exclusive: u32, reversed: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.lines) {
    return;
  }
  let outer = i / p.inner;
  let start = outer * p.size * p.inner + (i - outer * p.inner);
  var sum = 0.0;
  for (var k = 0u; k < p.size; k++) {
    let at = start + select(k, p.size - 1u - k, p.reversed == 1u) * p.inner;
    let with_own = sum + f32(x[at]);
    y[at] = T1(select(with_own, sum, p.exclusive == 1u));
    sum = with_own;
  }
}
