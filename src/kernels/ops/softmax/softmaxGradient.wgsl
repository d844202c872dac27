// dx = y (dy - sum of y dy); of the logarithm dx = dy - exp(y) sum of dy.
struct Parameters { size: u32, groups: u32, inner: u32, outer: u32, stride: u32, log: u32 }
@group(0) @binding(0) var<storage, read> y: array<S0>;
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
  var sum = E();
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    if (p.log == 1u) {
      sum += E(dy[i]);
    } else {
      sum += E(y[i]) * E(dy[i]);
    }
  }
  sum = total(at, sum);
  if (at.group >= p.groups) {
    return;
  }
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    if (p.log == 1u) {
      dx[i] = S2(E(dy[i]) - exp(E(y[i])) * sum);
    } else {
      dx[i] = S2(E(y[i]) * (E(dy[i]) - sum));
    }
  }
}
