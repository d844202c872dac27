// dlogits = upstream (softmax - target) / counted pictures; 0 for pictures that do not count.
struct Parameters { classes: u32, batch: u32, stride: u32, smoothing: f32 }
@group(0) @binding(0) var<storage, read> logits: array<T0>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> upstream: array<T2>;
@group(0) @binding(3) var<storage, read_write> gradient: array<T3>;
@group(0) @binding(4) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y * groups.x * 64u + id.x;
  if (n >= p.batch) {
    return;
  }
  var counted = 0u;
  for (var i = 0u; i < p.batch; i++) {
    counted += select(0u, 1u, labels[i] < p.classes);
  }
  let label = labels[n];
  let factor = select(0.0, f32(upstream[0]) / f32(max(counted, 1u)), label < p.classes);
  var largest = f32(logits[n]);
  for (var c = 1u; c < p.classes; c++) {
    largest = max(largest, f32(logits[c * p.stride + n]));
  }
  var sum = 0.0;
  for (var c = 0u; c < p.classes; c++) {
    sum += exp(f32(logits[c * p.stride + n]) - largest);
  }
  for (var c = 0u; c < p.classes; c++) {
    let i = c * p.stride + n;
    let probability = exp(f32(logits[i]) - largest) / sum;
    let hot = select(0.0, 1.0 - p.smoothing, c == label) + p.smoothing / f32(p.classes);
    gradient[i] = T3(factor * (probability - hot));
  }
}
