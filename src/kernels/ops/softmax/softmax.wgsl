// y = exp(x - largest) / sum, or its logarithm x - largest - log(sum).
struct Parameters { size: u32, groups: u32, inner: u32, outer: u32, stride: u32, log: u32 }
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
  var top = E(-3.4e38);
  for (var k = at.lane; k < p.size; k += lanes) {
    top = max(top, E(x[start + k * p.stride]));
  }
  top = largest(at, top);
  var sum = E();
  for (var k = at.lane; k < p.size; k += lanes) {
    sum += exp(E(x[start + k * p.stride]) - top);
  }
  sum = total(at, sum);
  if (at.group >= p.groups) {
    return;
  }
  let logSum = log(sum);
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    let shifted = E(x[i]) - top;
    if (p.log == 1u) {
      y[i] = S1(shifted - logSum);
    } else {
      y[i] = S1(exp(shifted) / sum);
    }
  }
}
