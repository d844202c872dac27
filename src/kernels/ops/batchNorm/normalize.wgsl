// y = (x - mean) inverseDeviation weight + bias, then the fused activation (`activate`, put behind this source). Workgroups in y are channels; an invocation takes
// every (64 groups.x)-th quad of the row.
struct Parameters { quadsPerRow: u32, affine: u32, isFused: u32, lower: f32, upper: f32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> batch: array<vec2f>;
@group(0) @binding(2) var<storage, read> weight: array<T2>;
@group(0) @binding(3) var<storage, read> bias: array<T3>;
@group(0) @binding(4) var<storage, read_write> y: array<V4>;
@group(0) @binding(5) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channel = id.y;
  let moments = batch[channel];
  let scale = moments.y * select(1.0, f32(weight[channel]), (p.affine & 1u) != 0u);
  let shift = select(0.0, f32(bias[channel]), (p.affine & 2u) != 0u);
  let start = channel * p.quadsPerRow;
  for (var quad = id.x; quad < p.quadsPerRow; quad += groups.x * 64u) {
    var value = (vec4f(x[start + quad]) - moments.x) * scale + shift;
    if (p.isFused == 1u) {
      value = activate(value);
    }
    y[start + quad] = V4(value);
  }
}
