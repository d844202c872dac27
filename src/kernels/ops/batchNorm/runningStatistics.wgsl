// batch[2c] = running mean, batch[2c + 1] = 1 / sqrt(running variance + epsilon).
struct Parameters { channels: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> runningMean: array<f32>;
@group(0) @binding(1) var<storage, read> runningVariance: array<f32>;
@group(0) @binding(2) var<storage, read_write> batch: array<f32>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c < p.channels) {
    batch[2u * c] = runningMean[c];
    batch[2u * c + 1u] = 1.0 / sqrt(runningVariance[c] + p.epsilon);
  }
}
