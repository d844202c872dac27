// For software adapters: the sums of gradientSums.wgsl and the gradient of inputGradient.wgsl by one subgroup of eight for each channel's
// row, which it finds in the cache when it comes back to it. `activationGradient` is put behind this source.
struct Parameters {
  columns: u32, quadsPerRow: u32, affine: u32, isFused: u32, lower: f32, upper: f32, usesBatch: u32,
}
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> dy: array<V1>;
@group(0) @binding(2) var<storage, read> batch: array<vec2f>;
@group(0) @binding(3) var<storage, read> weight: array<T3>;
@group(0) @binding(4) var<storage, read> bias: array<T4>;
@group(0) @binding(5) var<storage, read_write> dWeight: array<T5>;
@group(0) @binding(6) var<storage, read_write> dBias: array<T6>;
@group(0) @binding(7) var<storage, read_write> dx: array<V7>;
@group(0) @binding(8) var<uniform> p: Parameters;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x;
  let moments = batch[channel];
  let scale = moments.y * select(1.0, f32(weight[channel]), (p.affine & 1u) != 0u);
  let shift = select(0.0, f32(bias[channel]), (p.affine & 2u) != 0u);
  let start = channel * p.quadsPerRow;
  var plain = vec4f();
  var weighted = vec4f();
  for (var quad = lane; quad < p.quadsPerRow; quad += 8u) {
    let centred = vec4f(x[start + quad]) - moments.x;
    // What lies behind the last column is unspecified.
    let isColumn = vec4u(0u, 1u, 2u, 3u) + quad * 4u < vec4u(p.columns);
    var gradient = vec4f(dy[start + quad]);
    if (p.isFused == 1u) {
      gradient = activationGradient(centred * scale + shift, gradient);
    }
    plain += select(vec4f(), gradient, isColumn);
    weighted += select(vec4f(), gradient * (centred * moments.y), isColumn);
  }
  let gradientSum = subgroupAdd(plain.x + plain.y + plain.z + plain.w);
  let weightedSum = subgroupAdd(weighted.x + weighted.y + weighted.z + weighted.w);
  if (lane == 0u) {
    dWeight[channel] = T5(weightedSum);
    dBias[channel] = T6(gradientSum);
  }
  let share = select(0.0, 1.0 / f32(p.columns), p.usesBatch == 1u);
  let meanGradient = gradientSum * share;
  let meanWeighted = weightedSum * share * moments.y;
  for (var quad = lane; quad < p.quadsPerRow; quad += 8u) {
    let centred = vec4f(x[start + quad]) - moments.x;
    var gradient = vec4f(dy[start + quad]);
    if (p.isFused == 1u) {
      gradient = activationGradient(centred * scale + shift, gradient);
    }
    dx[start + quad] = V7((gradient - meanGradient - centred * meanWeighted) * scale);
  }
}
