// w -= lr (scale g + weightDecay w).
struct Parameters { quads: u32, isScaled: u32, weightDecay: f32, factor: f32 }
@group(0) @binding(0) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read> hyper: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.quads) {
    return;
  }
  let old = weight[i];
  weight[i] = old - hyper[0] * p.factor * (gradient[i] * select(1.0, scale[0], p.isScaled != 0u) + p.weightDecay * old);
}
