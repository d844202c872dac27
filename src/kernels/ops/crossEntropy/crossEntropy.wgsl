// Per picture (column): loss = -sum over classes of target log softmax(logits), target = (1 - s) one-hot + s / classes
// (Szegedy et al. 2016, section 7). Labels of 0xffffffff do not count.
struct Parameters { classes: u32, batch: u32, stride: u32, smoothing: f32 }
@group(0) @binding(0) var<storage, read> logits: array<T0>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> losses: array<T2>;
@group(0) @binding(3) var<storage, read_write> hits: array<T3>;
@group(0) @binding(4) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y * groups.x * 64u + id.x;
  if (n >= p.batch) {
    return;
  }
  let label = labels[n];
  if (label >= p.classes) {
    losses[n] = T2(0.0);
    hits[n] = T3(0.0);
    return;
  }
  var largest = f32(logits[n]);
  var best = 0u;
  for (var c = 1u; c < p.classes; c++) {
    let value = f32(logits[c * p.stride + n]);
    if (value > largest) {
      largest = value;
      best = c;
    }
  }
  var sum = 0.0;
  var total = 0.0;
  for (var c = 0u; c < p.classes; c++) {
    let shifted = f32(logits[c * p.stride + n]) - largest;
    sum += exp(shifted);
    total += shifted;
  }
  let logSum = log(sum);
  let own = f32(logits[label * p.stride + n]) - largest - logSum;
  let mean = total / f32(p.classes) - logSum;
  losses[n] = T2(-((1.0 - p.smoothing) * own + p.smoothing * mean));
  hits[n] = T3(select(0.0, 1.0, best == label));
}
