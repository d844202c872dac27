// partials[first + workgroup] = sum of the squares of the workgroup's blocks of 256 gradients, in fixed order. What lies behind the
// last element of a tensor does not count: table[block] = (learning-rate factor, weight decay, elements that count, 0).
// A power of two: one SIMD register on software adapters, where each further one costs a switch at every barrier.
override lanes: u32 = 64u;
struct Parameters { blocks: u32, blocksPerGroup: u32, first: u32 }
@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read> table: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;
@group(0) @binding(3) var<uniform> p: Parameters;
var<workgroup> sums: array<f32, lanes>;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let begin = group.x * p.blocksPerGroup;
  let end = min(begin + p.blocksPerGroup, p.blocks);
  var squares = vec4f();
  for (var block = begin; block < end; block++) {
    let count = u32(table[block].z);
    for (var quad = lane; quad * 4u < count; quad += lanes) {
      let counted = vec4u(0u, 1u, 2u, 3u) + quad * 4u < vec4u(count);
      let value = select(vec4f(), gradient[block * 64u + quad], counted);
      squares += value * value;
    }
  }
  sums[lane] = squares.x + squares.y + squares.z + squares.w;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    partials[p.first + group.x] = sums[0];
  }
}
