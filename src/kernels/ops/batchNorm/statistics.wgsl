// One workgroup per channel, one pass over the row: sums of the deviations from a value amid the others, and of their squares
// (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", shifted data). A sum of quads per lane, added in a
// fixed tree. batch[c] = (mean, 1 / sqrt(variance + epsilon)); running statistics move in place, with the unbiased variance.
// A power of two: one SIMD register on software adapters, where each further one costs a switch at every barrier.
override lanes: u32 = 64u;
struct Parameters { columns: u32, quadsPerRow: u32, epsilon: f32, momentum: f32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> batch: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> runningMean: array<T2>;
@group(0) @binding(3) var<storage, read_write> runningVariance: array<T3>;
@group(0) @binding(4) var<uniform> p: Parameters;
var<workgroup> sums: array<f32, lanes>;

fn total(lane: u32, value: vec4f) -> f32 {
  workgroupBarrier();
  sums[lane] = value.x + value.y + value.z + value.w;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  workgroupBarrier();
  return sums[0];
}

// What lies behind the last column is unspecified.
fn isColumn(quad: u32) -> vec4<bool> {
  return vec4u(0u, 1u, 2u, 3u) + quad * 4u < vec4u(p.columns);
}

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x;
  let start = channel * p.quadsPerRow;
  var first = vec4f();
  if (lane < p.quadsPerRow) {
    first = select(vec4f(), vec4f(x[start + lane]), isColumn(lane));
  }
  let count = f32(p.columns);
  // The mean of a few: the squares of the values as they are would drown the variance where their mean is large.
  let shift = total(lane, first) / min(count, f32(lanes * 4u));
  var sum = vec4f();
  var squares = vec4f();
  for (var quad = lane; quad < p.quadsPerRow; quad += lanes) {
    let deviation = select(vec4f(), vec4f(x[start + quad]) - shift, isColumn(quad));
    sum += deviation;
    squares += deviation * deviation;
  }
  let offset = total(lane, sum) / count;
  let mean = shift + offset;
  let squareSum = max(0.0, total(lane, squares) - offset * offset * count);
  if (lane == 0u) {
    batch[channel] = vec2f(mean, 1.0 / sqrt(squareSum / count + p.epsilon));
    runningMean[channel] = T2((1.0 - p.momentum) * f32(runningMean[channel]) + p.momentum * mean);
    runningVariance[channel] = T3((1.0 - p.momentum) * f32(runningVariance[channel])
      + p.momentum * squareSum / max(count - 1.0, 1.0));
  }
}
