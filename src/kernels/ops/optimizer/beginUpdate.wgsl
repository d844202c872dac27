// Decides on one update. control = [factor of the gradient, 1 if the update is skipped, 1 - beta1^t, 1 - beta2^t, updates in a row
// without overflow, skipped updates]; lossScale = [what the loss was multiplied by].
// The factor undoes the loss scale and clips: min(1, maxNorm / (norm + 1e-6)) of the true norm. A gradient that is not finite
// skips the update and halves the scale; it doubles after `growthInterval` updates that went well (Micikevicius et al. 2018,
// "Mixed precision training", section 3.2). 1 - beta^t is carried on as c + (1 - c) (1 - beta), which loses no digits.
struct Parameters { partials: u32, clips: u32, scales: u32, growthInterval: u32, maxNorm: f32, beta1: f32, beta2: f32 }
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> control: array<f32>;
@group(0) @binding(2) var<storage, read_write> lossScale: array<f32>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(1)
fn main() {
  var sum = 0.0;
  for (var i = 0u; i < p.partials; i++) {
    sum += partials[i];
  }
  var factor = 1.0;
  if (p.scales == 1u) {
    let scale = lossScale[0];
    factor = 1.0 / scale;
    // All bits of the exponent set: infinite or not a number. Comparisons may be optimised as if there were no such values.
    if ((bitcast<u32>(sum) & 0x7f800000u) == 0x7f800000u) {
      control[1] = 1.0;
      control[4] = 0.0;
      control[5] += 1.0;
      lossScale[0] = max(scale * 0.5, 1.0);
      return;
    }
    let streak = control[4] + 1.0;
    let grows = streak >= f32(p.growthInterval);
    control[4] = select(streak, 0.0, grows);
    lossScale[0] = select(scale, min(scale * 2.0, 16777216.0), grows);
  }
  if (p.clips == 1u) {
    factor *= min(1.0, p.maxNorm / (sqrt(sum) * factor + 1e-6));
  }
  control[0] = factor;
  control[1] = 0.0;
  control[2] += (1.0 - control[2]) * (1.0 - p.beta1);
  control[3] += (1.0 - control[3]) * (1.0 - p.beta2);
}
