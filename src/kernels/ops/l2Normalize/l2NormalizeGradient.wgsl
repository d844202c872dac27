// dx = (dy - xhat (xhat . dy)) / norm with xhat = x / norm; below epsilon the norm is constant and dx = dy / epsilon.
struct Parameters { size: u32, groups: u32, inner: u32, outer: u32, stride: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> x: array<S0>;
@group(0) @binding(1) var<storage, read> dy: array<S1>;
@group(0) @binding(2) var<storage, read_write> dx: array<S2>;
@group(0) @binding(3) var<uniform> p: Parameters;

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
  var product = E();
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    let value = E(x[i]);
    squares += value * value;
    product += value * E(dy[i]);
  }
  let own = sqrt(total(at, squares));
  let norm = max(own, E(p.epsilon));
  let slope = select(E(), total(at, product) / norm / norm, own >= E(p.epsilon));
  if (at.group >= p.groups) {
    return;
  }
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    dx[i] = S2((E(dy[i]) - E(x[i]) * slope) / norm);
  }
}
