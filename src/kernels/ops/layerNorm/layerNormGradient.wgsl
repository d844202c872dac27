// dx = (dy weight - mean(dy weight) - xhat mean(dy weight xhat)) / deviation.
struct Parameters { size: u32, groups: u32, inner: u32, outer: u32, stride: u32, affine: u32 }
@group(0) @binding(0) var<storage, read> x: array<S0>;
@group(0) @binding(1) var<storage, read> dy: array<S1>;
@group(0) @binding(2) var<storage, read> weight: array<T2>;
@group(0) @binding(3) var<storage, read> moments: array<S3>;
@group(0) @binding(4) var<storage, read_write> dx: array<S4>;
@group(0) @binding(5) var<uniform> p: Parameters;

fn gradient(i: u32, k: u32) -> E {
  if ((p.affine & 1u) != 0u) {
    return E(dy[i]) * f32(weight[k]);
  }
  return E(dy[i]);
}

@compute @workgroup_size(lanes * columns)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = place(workgroup, workgroups, local);
  let g = min(at.group, p.groups - 1u);
  let start = (g / p.inner) * p.outer + g % p.inner;
  let mean = E(moments[g]);
  let inverse = E(moments[p.groups + g]);
  var plain = E();
  var weighted = E();
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    let value = gradient(i, k);
    plain += value;
    weighted += value * (E(x[i]) - mean);
  }
  let meanGradient = total(at, plain) / f32(p.size);
  let slope = total(at, weighted) / f32(p.size) * inverse * inverse;
  if (at.group >= p.groups) {
    return;
  }
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    dx[i] = S4((gradient(i, k) - meanGradient - (E(x[i]) - mean) * slope) * inverse);
  }
}
