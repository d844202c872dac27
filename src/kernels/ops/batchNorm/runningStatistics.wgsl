// batch[2c] = running mean, batch[2c + 1] = 1 / sqrt(running variance + epsilon).
struct Parameters { channels: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> runningMean: array<T0>;
@group(0) @binding(1) var<storage, read> runningVariance: array<T1>;
@group(0) @binding(2) var<storage, read_write> batch: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c < p.channels) {
    batch[2u * c] = T2(f32(runningMean[c]));
    batch[2u * c + 1u] = T2(1.0 / sqrt(f32(runningVariance[c]) + p.epsilon));
  }
}
