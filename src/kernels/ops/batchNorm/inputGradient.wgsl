// Ioffe and Szegedy 2015, section 3, written with xhat:
// dx = weight inverseDeviation (dy - mean(dy) - xhat mean(dy xhat)); with running statistics only the first term.
struct Parameters { quadsPerRow: u32, quads: u32, affine: u32, usesBatch: u32, count: f32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> batch: array<vec2f>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> dWeight: array<f32>;
@group(0) @binding(5) var<storage, read> dBias: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(7) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.quads) {
    return;
  }
  let channel = i / p.quadsPerRow;
  let moments = batch[channel];
  var value = dy[i];
  if (p.usesBatch == 1u) {
    let normalised = (x[i] - moments.x) * moments.y;
    value -= dBias[channel] / p.count + normalised * (dWeight[channel] / p.count);
  }
  dx[i] = value * moments.y * select(1.0, weight[channel], (p.affine & 1u) != 0u);
}
