// One workgroup per group of one picture: its moments from those of its planes, which have equally many pixels (Chan, Golub and
// LeVeque 1983, equation 2.1): squares = sum of the planes' squares + pixels sum of (plane's mean - mean)^2.
override lanes: u32 = 64u;
struct Parameters { groups: u32, batch: u32, perGroup: u32, pixels: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> planes: array<T0>;
// (mean, 1 / deviation).
@group(0) @binding(1) var<storage, read_write> moments: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;
var<workgroup> sums: array<f32, lanes>;

fn total(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  sums[lane] = value;
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
  let index = workgroup.y * workgroups.x + workgroup.x;
  if (index >= p.groups * p.batch) {
    return;
  }
  let first = index / p.batch * p.perGroup;
  let n = index % p.batch;
  var sum = 0.0;
  for (var c = lane; c < p.perGroup; c += lanes) {
    sum += f32(planes[2u * ((first + c) * p.batch + n)]);
  }
  let mean = total(lane, sum) / f32(p.perGroup);
  var squares = 0.0;
  for (var c = lane; c < p.perGroup; c += lanes) {
    let plane = 2u * ((first + c) * p.batch + n);
    let deviation = f32(planes[plane]) - mean;
    squares += f32(planes[plane + 1u]) + f32(p.pixels) * deviation * deviation;
  }
  let variance = total(lane, squares) / (f32(p.perGroup) * f32(p.pixels));
  if (lane == 0u) {
    moments[2u * index] = T1(mean);
    moments[2u * index + 1u] = T1(1.0 / sqrt(variance + p.epsilon));
  }
}
