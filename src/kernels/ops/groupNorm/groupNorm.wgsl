// y = (x - mean) / deviation weight + bias with the moments of the picture's group. Workgroups in y are channels; an
// invocation takes every (64 groups.x)-th quad of the row. Aligned: no quad has pixels of two pictures.
override aligned: bool = false;
struct Parameters { quadsPerRow: u32, batch: u32, pixels: u32, perGroup: u32, affine: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> moments: array<vec2f>;
@group(0) @binding(2) var<storage, read> weight: array<T2>;
@group(0) @binding(3) var<storage, read> bias: array<T3>;
@group(0) @binding(4) var<storage, read_write> y: array<V4>;
@group(0) @binding(5) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channel = id.y;
  let scale = select(1.0, f32(weight[channel]), (p.affine & 1u) != 0u);
  let shift = select(0.0, f32(bias[channel]), (p.affine & 2u) != 0u);
  let first = channel / p.perGroup * p.batch;
  for (var quad = id.x; quad < p.quadsPerRow; quad += groups.x * 64u) {
    let picture = min((vec4u(0u, 1u, 2u, 3u) + quad * 4u) / p.pixels, vec4u(p.batch - 1u)) + first;
    let a = moments[picture.x];
    var mean = vec4f(a.x);
    var inverse = vec4f(a.y);
    if (!aligned) {
      let b = moments[picture.y];
      let c = moments[picture.z];
      let d = moments[picture.w];
      mean = vec4f(a.x, b.x, c.x, d.x);
      inverse = vec4f(a.y, b.y, c.y, d.y);
    }
    let i = channel * p.quadsPerRow + quad;
    y[i] = V4((vec4f(x[i]) - mean) * inverse * scale + shift);
  }
}
