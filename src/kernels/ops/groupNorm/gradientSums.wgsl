// Per plane, the pixels of one channel of one picture: the sums of dy xhat and of dy.
struct Parameters { channels: u32, batch: u32, pixels: u32, quadsPerRow: u32, perGroup: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> dy: array<V1>;
@group(0) @binding(2) var<storage, read> moments: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> planes: array<vec2f>;
@group(0) @binding(4) var<uniform> p: Parameters;

@compute @workgroup_size(lanes * columns)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = place(workgroup, workgroups, local);
  let plane = min(at.group, p.channels * p.batch - 1u);
  let channel = plane / p.batch;
  let n = plane % p.batch;
  let own = moments[channel / p.perGroup * p.batch + n];
  let row = channel * p.quadsPerRow;
  let begin = n * p.pixels;
  let end = begin + p.pixels;
  var plain = vec4f();
  var weighted = vec4f();
  for (var quad = begin / 4u + at.lane; quad * 4u < end; quad += lanes) {
    let column = vec4u(0u, 1u, 2u, 3u) + quad * 4u;
    let inside = (column >= vec4u(begin)) & (column < vec4u(end));
    let gradient = select(vec4f(), vec4f(dy[row + quad]), inside);
    plain += gradient;
    weighted += select(vec4f(), gradient * (vec4f(x[row + quad]) - own.x), inside);
  }
  let sums = vec2f(weighted.x + weighted.y + weighted.z + weighted.w, plain.x + plain.y + plain.z + plain.w);
  let result = total(at, sums * vec2f(own.y, 1.0));
  if (at.lane == 0u && at.group == plane) {
    planes[plane] = result;
  }
}
