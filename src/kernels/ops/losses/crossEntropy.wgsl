// Per picture n (column): loss = -sum over classes of q log softmax(x), q = w ((1 - s) target + s / classes), times the picture's
// weight; with gamma, times (1 - p_label)^gamma. A workgroup takes 8 pictures, `lanes` invocations share each one's classes.
// statistics = (largest logit, log sum exp(x - largest), sum of q, factor of the gradient).
override lanes: u32 = 1u;
const columns = 8u;
struct Parameters { classes: u32, batch: u32, stride: u32, flags: u32, smoothing: f32, gamma: f32 }
@group(0) @binding(0) var<storage, read> logits: array<T0>;
// Labels [N] or probabilities [N, C].
@group(0) @binding(1) var<storage, read> targets: array<T1>;
@group(0) @binding(2) var<storage, read> classWeights: array<T2>;
@group(0) @binding(3) var<storage, read> sampleWeights: array<T3>;
@group(0) @binding(4) var<storage, read_write> losses: array<T4>;
@group(0) @binding(5) var<storage, read_write> counts: array<T5>;
@group(0) @binding(6) var<storage, read_write> statistics: array<V6>;
@group(0) @binding(7) var<uniform> p: Parameters;
var<workgroup> shared_: array<vec4f, columns * lanes>;

// log(1 + x) for x >= 0, without losing small x.
fn log1p(x: f32) -> f32 {
  let series = x * (1.0 - x * (0.5 - x * (1.0 / 3.0 - x * (0.25 - x * 0.2))));
  return select(log(1.0 + x), series, x < 0.05);
}

// The larger of (value, index), of equals the one with the smaller index.
fn first(a: vec2f, b: vec2f) -> vec2f {
  return select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
}

@compute @workgroup_size(columns * lanes)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = local / columns;
  let n = min(group.x * columns + local % columns, p.batch - 1u);
  let soft = (p.flags & 1u) != 0u;
  var label = select(u32(targets[n]), 0u, soft);
  let known = label < p.classes;

  var best = vec2f(-3.4e38, 3.4e38);
  var likeliest = best;
  for (var c = lane; c < p.classes; c += lanes) {
    best = first(best, vec2f(f32(logits[c * p.stride + n]), f32(c)));
    if (soft) {
      likeliest = first(likeliest, vec2f(f32(targets[c * p.stride + n]), f32(c)));
    }
  }
  if (lanes > 1u) {
    shared_[local] = vec4f(best, likeliest);
    for (var half = lanes / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (lane < half) {
        let other = shared_[local + half * columns];
        shared_[local] = vec4f(first(shared_[local].xy, other.xy), first(shared_[local].zw, other.zw));
      }
    }
    workgroupBarrier();
    best = shared_[local % columns].xy;
    likeliest = shared_[local % columns].zw;
    workgroupBarrier();
  }
  label = select(label, u32(likeliest.y), soft);

  // (sum of exp(shifted) but for the largest, the same but for the label, sum of q, -sum of q shifted)
  var sums = vec4f();
  for (var c = lane; c < p.classes; c += lanes) {
    let shifted = f32(logits[c * p.stride + n]) - best.x;
    let e = exp(shifted);
    var target_ = select(0.0, 1.0, c == label);
    if (soft) {
      target_ = f32(targets[c * p.stride + n]);
    }
    var q = (1.0 - p.smoothing) * target_ + p.smoothing / f32(p.classes);
    if ((p.flags & 2u) != 0u) {
      q *= f32(classWeights[c]);
    }
    sums += vec4f(select(e, 0.0, c == u32(best.y)), select(e, 0.0, c == label), q, select(-q * shifted, 0.0, q == 0.0));
  }
  if (lanes > 1u) {
    shared_[local] = sums;
    for (var half = lanes / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (lane < half) {
        shared_[local] += shared_[local + half * columns];
      }
    }
    sums = shared_[local];
  }
  if (lane > 0u || group.x * columns + local >= p.batch) {
    return;
  }
  let logSum = log1p(sums.x);
  var weight = 1.0;
  if ((p.flags & 8u) != 0u) {
    weight = f32(sampleWeights[n]);
  }
  let counted = known && weight != 0.0;
  var loss = weight * (sums.w + sums.z * logSum);
  var factor = weight;
  if (p.gamma > 0.0) {
    // Of the other classes, not 1 - p: exact where p is nearly 1.
    let others = sums.y / (1.0 + sums.x);
    let logProbability = f32(logits[min(label, p.classes - 1u) * p.stride + n]) - best.x - logSum;
    let modulation = select(0.0, pow(others, p.gamma), others > 0.0);
    // d/d(log p) of -(1 - p)^gamma log p, negated. others^(gamma - 1) is unbounded below gamma 1, its product with log p is not.
    let slope = select(0.0, p.gamma * modulation / others * exp(logProbability) * logProbability, others > 0.0);
    loss *= modulation;
    factor *= modulation - slope;
  }
  var share = weight;
  // With labels and weights of classes, the label's weight counts; q's sum has it spread over the classes by smoothing.
  if ((p.flags & 7u) == 6u && known) {
    share *= f32(classWeights[label]);
  }
  losses[n] = T4(select(0.0, loss, counted));
  counts[2u * n] = T5(select(0.0, share, counted));
  counts[2u * n + 1u] = T5(select(0.0, 1.0, counted && u32(best.y) == label));
  statistics[n] = V6(best.x, logSum, sums.z, select(0.0, factor, counted));
}
