// One workgroup per plane, the pixels of one channel of one picture: their mean, then the sum of squared deviations, or at once
// 1 / deviation where a plane is a group. Lane sums first, then a tree.
// A power of two: one SIMD register on software adapters, where each further one costs a switch at every barrier.
override lanes: u32 = 64u;
struct Parameters { channels: u32, batch: u32, pixels: u32, quadsPerRow: u32, isGroup: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> moments: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;
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

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let plane = workgroup.y * workgroups.x + workgroup.x;
  if (plane >= p.channels * p.batch) {
    return;
  }
  let row = plane / p.batch * p.quadsPerRow;
  // A plane need not begin or end with a quad: what belongs to its neighbours is masked.
  let begin = plane % p.batch * p.pixels;
  let end = begin + p.pixels;
  var sum = vec4f();
  for (var quad = begin / 4u + lane; quad * 4u < end; quad += lanes) {
    let at = vec4u(0u, 1u, 2u, 3u) + quad * 4u;
    sum += select(vec4f(), vec4f(x[row + quad]), (at >= vec4u(begin)) & (at < vec4u(end)));
  }
  let count = f32(p.pixels);
  let mean = total(lane, sum) / count;
  var squares = vec4f();
  for (var quad = begin / 4u + lane; quad * 4u < end; quad += lanes) {
    let at = vec4u(0u, 1u, 2u, 3u) + quad * 4u;
    let deviation = select(vec4f(), vec4f(x[row + quad]) - mean, (at >= vec4u(begin)) & (at < vec4u(end)));
    squares += deviation * deviation;
  }
  let squareSum = total(lane, squares);
  if (lane == 0u) {
    moments[2u * plane] = T1(mean);
    moments[2u * plane + 1u] = T1(select(squareSum, 1.0 / sqrt(squareSum / count + p.epsilon), p.isGroup == 1u));
  }
}
