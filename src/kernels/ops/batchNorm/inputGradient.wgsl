// Ioffe and Szegedy 2015, section 3, written with xhat:
// dx = weight inverseDeviation (dy - mean(dy) - xhat mean(dy xhat)); with running statistics only the first term.
// dy passes a fused activation as in gradientSums. Workgroups in y are channels, as in normalize.
struct Parameters { quadsPerRow: u32, affine: u32, isFused: u32, lower: f32, upper: f32, usesBatch: u32, count: f32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> dy: array<V1>;
@group(0) @binding(2) var<storage, read> batch: array<vec2f>;
@group(0) @binding(3) var<storage, read> weight: array<T3>;
@group(0) @binding(4) var<storage, read> bias: array<T4>;
@group(0) @binding(5) var<storage, read> dWeight: array<T5>;
@group(0) @binding(6) var<storage, read> dBias: array<T6>;
@group(0) @binding(7) var<storage, read_write> dx: array<V7>;
@group(0) @binding(8) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channel = id.y;
  let moments = batch[channel];
  let scale = moments.y * select(1.0, f32(weight[channel]), (p.affine & 1u) != 0u);
  let shift = select(0.0, f32(bias[channel]), (p.affine & 2u) != 0u);
  var meanGradient = 0.0;
  var meanWeighted = 0.0;
  if (p.usesBatch == 1u) {
    meanGradient = f32(dBias[channel]) / p.count;
    meanWeighted = f32(dWeight[channel]) / p.count * moments.y;
  }
  let start = channel * p.quadsPerRow;
  for (var quad = id.x; quad < p.quadsPerRow; quad += groups.x * 64u) {
    let centred = vec4f(x[start + quad]) - moments.x;
    var gradient = vec4f(dy[start + quad]);
    if (p.isFused == 1u) {
      gradient = activationGradient(centred * scale + shift, gradient);
    }
    dx[start + quad] = V7((gradient - meanGradient - centred * meanWeighted) * scale);
  }
}
