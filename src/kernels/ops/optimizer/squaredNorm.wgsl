// partial[slot] = sum of squares of one gradient: 64 strided sums, then a fixed tree.
struct Parameters { count: u32, slot: u32 }
@group(0) @binding(0) var<storage, read> gradient: array<T0>;
@group(0) @binding(1) var<storage, read_write> partial_: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;
var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < p.count; i += 64u) {
    sum += f32(gradient[i]) * f32(gradient[i]);
  }
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    partial_[p.slot] = T1(sums[0]);
  }
}
