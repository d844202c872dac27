// For software adapters: statistics and normalisation of a channel's row by one subgroup of eight, which finds the row in the cache when it
// comes back to it. Statistics as in statistics.wgsl, the rest as in normalize.wgsl; `activate` is put behind this source.
struct Parameters {
  columns: u32, quadsPerRow: u32, affine: u32, isFused: u32, lower: f32, upper: f32, epsilon: f32, momentum: f32,
}
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> weight: array<T1>;
@group(0) @binding(2) var<storage, read> bias: array<T2>;
@group(0) @binding(3) var<storage, read_write> batch: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> runningMean: array<T4>;
@group(0) @binding(5) var<storage, read_write> runningVariance: array<T5>;
@group(0) @binding(6) var<storage, read_write> y: array<V6>;
@group(0) @binding(7) var<uniform> p: Parameters;

fn total(value: vec4f) -> f32 {
  return subgroupAdd(value.x + value.y + value.z + value.w);
}

// What lies behind the last column is unspecified.
fn isColumn(quad: u32) -> vec4<bool> {
  return vec4u(0u, 1u, 2u, 3u) + quad * 4u < vec4u(p.columns);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x;
  let start = channel * p.quadsPerRow;
  let first = select(vec4f(), vec4f(x[start + min(lane, p.quadsPerRow - 1u)]), isColumn(lane));
  let count = f32(p.columns);
  let middle = total(first) / min(count, 32.0);
  var sum = vec4f();
  var squares = vec4f();
  for (var quad = lane; quad < p.quadsPerRow; quad += 8u) {
    let deviation = select(vec4f(), vec4f(x[start + quad]) - middle, isColumn(quad));
    sum += deviation;
    squares += deviation * deviation;
  }
  let offset = total(sum) / count;
  let mean = middle + offset;
  let squareSum = max(0.0, total(squares) - offset * offset * count);
  let inverseDeviation = 1.0 / sqrt(squareSum / count + p.epsilon);
  if (lane == 0u) {
    batch[channel] = vec2f(mean, inverseDeviation);
    runningMean[channel] = T4((1.0 - p.momentum) * f32(runningMean[channel]) + p.momentum * mean);
    runningVariance[channel] = T5((1.0 - p.momentum) * f32(runningVariance[channel])
      + p.momentum * squareSum / max(count - 1.0, 1.0));
  }
  let scale = inverseDeviation * select(1.0, f32(weight[channel]), (p.affine & 1u) != 0u);
  let shift = select(0.0, f32(bias[channel]), (p.affine & 2u) != 0u);
  for (var quad = lane; quad < p.quadsPerRow; quad += 8u) {
    var value = (vec4f(x[start + quad]) - mean) * scale + shift;
    if (p.isFused == 1u) {
      value = activate(value);
    }
    y[start + quad] = V6(value);
  }
}
