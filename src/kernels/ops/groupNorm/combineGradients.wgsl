// From the planes' (sum of dy xhat, sum of dy): for each group of each picture their means weighted by the channels' scale, then,
// behind those, for each channel the sums over the pictures: the gradients of weight and bias.
struct Parameters { groups: u32, batch: u32, perGroup: u32, affine: u32, count: f32 }
@group(0) @binding(0) var<storage, read> planes: array<vec2f>;
@group(0) @binding(1) var<storage, read> weight: array<T1>;
@group(0) @binding(2) var<storage, read_write> means: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> dWeight: array<T3>;
@group(0) @binding(4) var<storage, read_write> dBias: array<T4>;
@group(0) @binding(5) var<uniform> p: Parameters;

@compute @workgroup_size(lanes * columns)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = place(workgroup, workgroups, local);
  let groups = p.groups * p.batch;
  let index = min(at.group, groups + p.groups * p.perGroup - 1u);
  var sum = vec2f();
  if (index < groups) {
    let first = index / p.batch * p.perGroup;
    for (var c = first + at.lane; c < first + p.perGroup; c += lanes) {
      let scale = select(1.0, f32(weight[c]), (p.affine & 1u) != 0u);
      sum += planes[c * p.batch + index % p.batch] * scale;
    }
  } else {
    for (var n = at.lane; n < p.batch; n += lanes) {
      sum += planes[(index - groups) * p.batch + n];
    }
  }
  sum = total(at, sum);
  if (at.lane == 0u && at.group == index) {
    if (index < groups) {
      means[index] = sum / p.count;
    } else {
      dWeight[index - groups] = T3(sum.x);
      dBias[index - groups] = T4(sum.y);
    }
  }
}
