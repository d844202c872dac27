// One workgroup per channel. Two passes over the row: the mean, then the mean squared deviation. 64 strided sums each,
// added in a fixed tree. batch[2c] = mean, batch[2c + 1] = 1 / sqrt(variance + epsilon); running statistics move in place,
// with the unbiased variance.
struct Parameters { columns: u32, stride: u32, epsilon: f32, momentum: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> batch: array<f32>;
@group(0) @binding(2) var<storage, read_write> runningMean: array<f32>;
@group(0) @binding(3) var<storage, read_write> runningVariance: array<f32>;
@group(0) @binding(4) var<uniform> p: Parameters;
var<workgroup> sums: array<f32, 64>;

fn total(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  sums[lane] = value;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  workgroupBarrier();
  return sums[0];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x;
  let start = channel * p.stride;
  var sum = 0.0;
  for (var i = lane; i < p.columns; i += 64u) {
    sum += x[start + i];
  }
  let count = f32(p.columns);
  let mean = total(lane, sum) / count;
  var squares = 0.0;
  for (var i = lane; i < p.columns; i += 64u) {
    let deviation = x[start + i] - mean;
    squares += deviation * deviation;
  }
  let squareSum = total(lane, squares);
  if (lane == 0u) {
    batch[2u * channel] = mean;
    batch[2u * channel + 1u] = 1.0 / sqrt(squareSum / count + p.epsilon);
    runningMean[channel] = (1.0 - p.momentum) * runningMean[channel] + p.momentum * mean;
    runningVariance[channel] = (1.0 - p.momentum) * runningVariance[channel]
      + p.momentum * squareSum / max(count - 1.0, 1.0);
  }
}
