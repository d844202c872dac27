// One invocation sums in order: mean loss and number of hits over the counted pictures.
struct Parameters { classes: u32, batch: u32 }
@group(0) @binding(0) var<storage, read> losses: array<T0>;
@group(0) @binding(1) var<storage, read> hits: array<T1>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> loss: array<T3>;
@group(0) @binding(4) var<storage, read_write> correct: array<T4>;
@group(0) @binding(5) var<uniform> p: Parameters;

@compute @workgroup_size(1)
fn main() {
  var lossSum = 0.0;
  var hitSum = 0.0;
  var counted = 0u;
  for (var n = 0u; n < p.batch; n++) {
    lossSum += f32(losses[n]);
    hitSum += f32(hits[n]);
    counted += select(0u, 1u, labels[n] < p.classes);
  }
  loss[0] = T3(lossSum / f32(max(counted, 1u)));
  correct[0] = T4(hitSum);
}
