// Per picture n (column): the mean over classes of elementLoss, which follows, times the weights of class and picture. A workgroup
// takes 8 pictures, `lanes` invocations share each one's classes.
override lanes: u32 = 1u;
const columns = 8u;
struct Parameters { classes: u32, batch: u32, stride: u32, flags: u32, a: f32, b: f32 }
@group(0) @binding(0) var<storage, read> logits: array<T0>;
@group(0) @binding(1) var<storage, read> targets: array<T1>;
@group(0) @binding(2) var<storage, read> classWeights: array<T2>;
@group(0) @binding(3) var<storage, read> positiveWeights: array<T3>;
@group(0) @binding(4) var<storage, read> sampleWeights: array<T4>;
@group(0) @binding(5) var<storage, read_write> losses: array<T5>;
@group(0) @binding(6) var<storage, read_write> counts: array<T6>;
@group(0) @binding(7) var<uniform> p: Parameters;
var<workgroup> shared_: array<vec2f, columns * lanes>;

@compute @workgroup_size(columns * lanes)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let n = min(group.x * columns + local % columns, p.batch - 1u);
  // (sum of losses, number of classes on the wrong side)
  var sums = vec2f();
  for (var c = local / columns; c < p.classes; c += lanes) {
    let x = f32(logits[c * p.stride + n]);
    let target_ = f32(targets[c * p.stride + n]);
    var positive = 1.0;
    if ((p.flags & 2u) != 0u) {
      positive = f32(positiveWeights[c]);
    }
    var loss = elementLoss(x, target_, positive);
    if ((p.flags & 1u) != 0u) {
      loss *= f32(classWeights[c]);
    }
    sums += vec2f(loss, select(1.0, 0.0, (x > 0.0) == (target_ > 0.5)));
  }
  if (lanes > 1u) {
    shared_[local] = sums;
    for (var half = lanes / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (local / columns < half) {
        shared_[local] += shared_[local + half * columns];
      }
    }
    sums = shared_[local];
  }
  if (local >= columns || group.x * columns + local >= p.batch) {
    return;
  }
  var weight = 1.0;
  if ((p.flags & 4u) != 0u) {
    weight = f32(sampleWeights[n]);
  }
  losses[n] = T5(select(weight * sums.x / f32(p.classes), 0.0, weight == 0.0));
  counts[2u * n] = T6(weight);
  counts[2u * n + 1u] = T6(select(0.0, 1.0, weight != 0.0 && sums.y == 0.0));
}

