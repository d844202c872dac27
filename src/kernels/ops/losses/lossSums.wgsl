// One workgroup sums in a fixed order: lane sums first, then a tree. factor = 1 / denominator; loss = factor sum of losses.
// A power of two: one SIMD register on software adapters, where each further one costs a switch at every barrier.
override lanes: u32 = 64u;
struct Parameters { batch: u32, hasDenominator: u32 }
@group(0) @binding(0) var<storage, read> losses: array<T0>;
@group(0) @binding(1) var<storage, read> counts: array<T1>;
@group(0) @binding(2) var<storage, read> denominator: array<T2>;
@group(0) @binding(3) var<storage, read_write> loss: array<T3>;
@group(0) @binding(4) var<storage, read_write> correct: array<T4>;
@group(0) @binding(5) var<storage, read_write> factor: array<T5>;
@group(0) @binding(6) var<uniform> p: Parameters;
var<workgroup> sums: array<vec3f, lanes>;

@compute @workgroup_size(lanes)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = vec3f();
  for (var n = lane; n < p.batch; n += lanes) {
    sum += vec3f(f32(losses[n]), f32(counts[2u * n]), f32(counts[2u * n + 1u]));
  }
  sums[lane] = sum;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    let total = sums[0];
    let weight = select(total.y, f32(denominator[0]), p.hasDenominator == 1u);
    // Nothing counts: the loss is 0.
    let scale = 1.0 / select(weight, 1.0, weight == 0.0);
    loss[0] = T3(total.x * scale);
    correct[0] = T4(total.z);
    factor[0] = T5(scale);
  }
}
