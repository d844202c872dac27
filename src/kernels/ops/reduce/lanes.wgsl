// One result, or one part of a result, per workgroup: sums of lanes first, then a tree, the same order every time. Parts of
// result i lie beside each other.
override lanes: u32 = 64u;
var<workgroup> totals: array<f32, lanes>;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  // A barrier has to be reached by all: workgroups past the last result repeat it.
  let place = placeAt(min(i, p.count - 1u));
  let length = (p.reduced_count + p.parts - 1u) / p.parts;
  let end = min((group.z + 1u) * length, p.reduced_count);
  var total = p.start;
  for (var k = group.z * length + lane; k < end; k += lanes) {
    total = combine(total, term(f32(x[place.x + reducedAt(k)]), place.y));
  }
  totals[lane] = total;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      totals[lane] = combine(totals[lane], totals[lane + half]);
    }
  }
  if (lane == 0u && i < p.count) {
    if (p.parts == 1u) {
      y[place.y] = Result(finish(totals[0]));
    } else {
      y[i * p.parts + group.z] = Result(totals[0]);
    }
  }
}
