// Per plane, the pixels of one channel of one picture: their mean, then the sum of squared deviations, or at once 1 / deviation
// where a plane is a group.
struct Parameters { channels: u32, batch: u32, pixels: u32, quadsPerRow: u32, isGroup: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> moments: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(lanes * columns)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = place(workgroup, workgroups, local);
  let plane = min(at.group, p.channels * p.batch - 1u);
  let row = plane / p.batch * p.quadsPerRow;
  // A plane need not begin or end with a quad: what belongs to its neighbours is masked.
  let begin = plane % p.batch * p.pixels;
  let end = begin + p.pixels;
  var sum = vec4f();
  for (var quad = begin / 4u + at.lane; quad * 4u < end; quad += lanes) {
    let column = vec4u(0u, 1u, 2u, 3u) + quad * 4u;
    sum += select(vec4f(), vec4f(x[row + quad]), (column >= vec4u(begin)) & (column < vec4u(end)));
  }
  let count = f32(p.pixels);
  let mean = total(at, sum.x + sum.y + sum.z + sum.w) / count;
  var squares = vec4f();
  for (var quad = begin / 4u + at.lane; quad * 4u < end; quad += lanes) {
    let column = vec4u(0u, 1u, 2u, 3u) + quad * 4u;
    let deviation = select(
      vec4f(),
      vec4f(x[row + quad]) - mean,
      (column >= vec4u(begin)) & (column < vec4u(end)),
    );
    squares += deviation * deviation;
  }
  let squareSum = total(at, squares.x + squares.y + squares.z + squares.w);
  if (at.lane == 0u && at.group == plane) {
    moments[2u * plane] = T1(mean);
    moments[2u * plane + 1u] = T1(select(squareSum, 1.0 / sqrt(squareSum / count + p.epsilon), p.isGroup == 1u));
  }
}
