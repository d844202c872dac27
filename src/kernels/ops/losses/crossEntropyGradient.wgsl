// dlogits = upstream / denominator factor (sum of q softmax - q), with q as in crossEntropy; factor is 0 for pictures that do
// not count. Workgroups in y share the classes.
struct Parameters { classes: u32, batch: u32, stride: u32, flags: u32, smoothing: f32 }
@group(0) @binding(0) var<storage, read> logits: array<T0>;
@group(0) @binding(1) var<storage, read> targets: array<T1>;
@group(0) @binding(2) var<storage, read> classWeights: array<T2>;
@group(0) @binding(3) var<storage, read> statistics: array<V3>;
@group(0) @binding(4) var<storage, read> normalizer: array<T4>;
@group(0) @binding(5) var<storage, read> upstream: array<T5>;
@group(0) @binding(6) var<storage, read_write> gradient: array<T6>;
@group(0) @binding(7) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.x;
  if (n >= p.batch) {
    return;
  }
  let soft = (p.flags & 1u) != 0u;
  let label = select(u32(targets[n]), 0u, soft);
  let softmax = vec4f(statistics[n]);
  let factor = softmax.w * f32(normalizer[0]) * f32(upstream[0]);
  for (var c = id.y; c < p.classes; c += groups.y) {
    let i = c * p.stride + n;
    var target_ = select(0.0, 1.0, c == label);
    if (soft) {
      target_ = f32(targets[i]);
    }
    var q = (1.0 - p.smoothing) * target_ + p.smoothing / f32(p.classes);
    if ((p.flags & 2u) != 0u) {
      q *= f32(classWeights[c]);
    }
    gradient[i] = T6(factor * (softmax.z * exp(f32(logits[i]) - softmax.x - softmax.y) - q));
  }
}
