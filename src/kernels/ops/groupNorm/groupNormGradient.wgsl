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
  for (var quad = id.x; quad < p.quadsPerRow; quad += groups.x * 64u) {
    let picture = min((vec4u(0u, 1u, 2u, 3u) + quad * 4u) / p.pixels, vec4u(p.batch - 1u)) + first;
    let i = channel * p.quadsPerRow + quad;
    let value = vec4f(x[i]);
    let gradient = vec4f(dy[i]) * scale;
    var result = vec4f();
    for (var j = 0u; j < 4u; j++) {
      let at = moments[picture[j]];
      let mean = means[picture[j]];
      let normalized = (value - at.x) * at.y;
      let all = (gradient - mean.y - normalized * mean.x) * at.y;
      if (aligned) {
        result = all;
        break;
      }
      result[j] = all[j];
    }
    dx[i] = V5(result);
  }
}
