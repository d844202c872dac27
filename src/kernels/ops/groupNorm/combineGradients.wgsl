// From the planes' (sum of dy xhat, sum of dy): for each group of each picture their means weighted by the channels' scale, then,
// by the workgroups behind those, for each channel the sums over the pictures: the gradients of weight and bias.
override lanes: u32 = 64u;
struct Parameters { groups: u32, batch: u32, perGroup: u32, affine: u32, count: f32 }
@group(0) @binding(0) var<storage, read> planes: array<vec2f>;
@group(0) @binding(1) var<storage, read> weight: array<T1>;
@group(0) @binding(2) var<storage, read_write> means: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> dWeight: array<T3>;
@group(0) @binding(4) var<storage, read_write> dBias: array<T4>;
@group(0) @binding(5) var<uniform> p: Parameters;
var<workgroup> sums: array<vec2f, lanes>;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = workgroup.y * workgroups.x + workgroup.x;
  let groups = p.groups * p.batch;
  let channels = p.groups * p.perGroup;
  if (index >= groups + channels) {
    return;
  }
  var sum = vec2f();
  if (index < groups) {
    let first = index / p.batch * p.perGroup;
    for (var c = first + lane; c < first + p.perGroup; c += lanes) {
      let scale = select(1.0, f32(weight[c]), (p.affine & 1u) != 0u);
      sum += planes[c * p.batch + index % p.batch] * scale;
    }
  } else {
    for (var n = lane; n < p.batch; n += lanes) {
      sum += planes[(index - groups) * p.batch + n];
    }
  }
  sums[lane] = sum;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    if (index < groups) {
      means[index] = sums[0] / p.count;
    } else {
      dWeight[index - groups] = T3(sums[0].x);
      dBias[index - groups] = T4(sums[0].y);
    }
  }
}
