// dx = (dy weight - mean(dy weight) - xhat mean(dy weight xhat)) / deviation, the means over the picture's group. Grid and
// alignment as in groupNorm.
override aligned: bool = false;
struct Parameters { quadsPerRow: u32, batch: u32, pixels: u32, perGroup: u32, affine: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> dy: array<V1>;
@group(0) @binding(2) var<storage, read> moments: array<vec2f>;
// (mean of dy weight xhat, mean of dy weight).
@group(0) @binding(3) var<storage, read> means: array<vec2f>;
@group(0) @binding(4) var<storage, read> weight: array<T4>;
@group(0) @binding(5) var<storage, read_write> dx: array<V5>;
@group(0) @binding(6) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channel = id.y;
  let scale = select(1.0, f32(weight[channel]), (p.affine & 1u) != 0u);
  let first = channel / p.perGroup * p.batch;
  let row = channel * p.quadsPerRow;
  if (aligned) {
    let at = moments[first + id.z];
    let mean = means[first + id.z];
    let quads = p.pixels / 4u;
    let plane = row + id.z * quads;
    for (var quad = id.x; quad < quads; quad += groups.x * 64u) {
      let normalized = (vec4f(x[plane + quad]) - at.x) * at.y;
      dx[plane + quad] = V5((vec4f(dy[plane + quad]) * scale - mean.y - normalized * mean.x) * at.y);
    }
    return;
  }
  for (var quad = id.x; quad < p.quadsPerRow; quad += groups.x * 64u) {
    let picture = min((vec4u(0u, 1u, 2u, 3u) + quad * 4u) / p.pixels, vec4u(p.batch - 1u)) + first;
    let value = vec4f(x[row + quad]);
    let gradient = vec4f(dy[row + quad]) * scale;
    var result = vec4f();
    for (var j = 0u; j < 4u; j++) {
      let at = moments[picture[j]];
      let mean = means[picture[j]];
      result[j] = (gradient[j] - mean.y - (value[j] - at.x) * at.y * mean.x) * at.y;
    }
    dx[row + quad] = V5(result);
  }
}
