// One workgroup per plane, the pixels of one channel of one picture: the sums of dy xhat and of dy.
// A power of two: one SIMD register on software adapters, where each further one costs a switch at every barrier.
override lanes: u32 = 64u;
struct Parameters { channels: u32, batch: u32, pixels: u32, quadsPerRow: u32, perGroup: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> dy: array<V1>;
@group(0) @binding(2) var<storage, read> moments: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> planes: array<vec2f>;
@group(0) @binding(4) var<uniform> p: Parameters;
var<workgroup> sums: array<vec2f, lanes>;

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
  let channel = plane / p.batch;
  let n = plane % p.batch;
  let at = moments[channel / p.perGroup * p.batch + n];
  let row = channel * p.quadsPerRow;
  let begin = n * p.pixels;
  let end = begin + p.pixels;
  var plain = vec4f();
  var weighted = vec4f();
  for (var quad = begin / 4u + lane; quad * 4u < end; quad += lanes) {
    let column = vec4u(0u, 1u, 2u, 3u) + quad * 4u;
    let own = (column >= vec4u(begin)) & (column < vec4u(end));
    let gradient = select(vec4f(), vec4f(dy[row + quad]), own);
    plain += gradient;
    weighted += select(vec4f(), gradient * (vec4f(x[row + quad]) - at.x), own);
  }
  sums[lane] = vec2f(
    (weighted.x + weighted.y + weighted.z + weighted.w) * at.y,
    plain.x + plain.y + plain.z + plain.w,
  );
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    planes[plane] = sums[0];
  }
}
