// One workgroup per channel: sums[2c] = sum of dy, sums[2c + 1] = sum of dy xhat: the gradients of bias and weight.
struct Parameters { columns: u32, stride: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> batch: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> dWeight: array<f32>;
@group(0) @binding(4) var<storage, read_write> dBias: array<f32>;
@group(0) @binding(5) var<uniform> p: Parameters;
var<workgroup> sums: array<vec2f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x;
  let start = channel * p.stride;
  let moments = batch[channel];
  var sum = vec2f(0.0);
  for (var i = lane; i < p.columns; i += 64u) {
    let gradient = dy[start + i];
    sum += vec2f(gradient, gradient * (x[start + i] - moments.x) * moments.y);
  }
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    dBias[channel] = sums[0].x;
    dWeight[channel] = sums[0].y;
  }
}
