// Per group: the mean, then the mean squared deviation, then y = (x - mean) / sqrt(variance + epsilon) weight + bias.
struct Parameters { size: u32, groups: u32, inner: u32, outer: u32, stride: u32, affine: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> x: array<S0>;
@group(0) @binding(1) var<storage, read> weight: array<T1>;
@group(0) @binding(2) var<storage, read> bias: array<T2>;
@group(0) @binding(3) var<storage, read_write> y: array<S3>;
// All means, then all 1 / deviations.
@group(0) @binding(4) var<storage, read_write> moments: array<S4>;
@group(0) @binding(5) var<uniform> p: Parameters;

@compute @workgroup_size(lanes * columns)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = place(workgroup, workgroups, local);
  let g = min(at.group, p.groups - 1u);
  let start = (g / p.inner) * p.outer + g % p.inner;
  let count = f32(p.size);
  var sum = E();
  for (var k = at.lane; k < p.size; k += lanes) {
    sum += E(x[start + k * p.stride]);
  }
  let mean = total(at, sum) / count;
  var squares = E();
  for (var k = at.lane; k < p.size; k += lanes) {
    let deviation = E(x[start + k * p.stride]) - mean;
    squares += deviation * deviation;
  }
  let inverse = 1.0 / sqrt(total(at, squares) / count + p.epsilon);
  if (at.group >= p.groups) {
    return;
  }
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    var value = (E(x[i]) - mean) * inverse;
    if ((p.affine & 1u) != 0u) {
      value *= f32(weight[k]);
    }
    if ((p.affine & 2u) != 0u) {
      value += f32(bias[k]);
    }
    y[i] = S3(value);
  }
  if (at.lane == 0u) {
    moments[g] = S4(mean);
    moments[p.groups + g] = S4(inverse);
  }
}
