// y = x / max(norm of the group, epsilon).
struct Parameters { size: u32, groups: u32, inner: u32, outer: u32, stride: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> x: array<S0>;
@group(0) @binding(1) var<storage, read_write> y: array<S1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(lanes * columns)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = place(workgroup, workgroups, local);
  let g = min(at.group, p.groups - 1u);
  let start = (g / p.inner) * p.outer + g % p.inner;
  var squares = E();
  for (var k = at.lane; k < p.size; k += lanes) {
    let value = E(x[start + k * p.stride]);
    squares += value * value;
  }
  let norm = max(sqrt(total(at, squares)), E(p.epsilon));
  if (at.group >= p.groups) {
    return;
  }
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    y[i] = S1(E(x[i]) / norm);
  }
}
