// y = (x - mean) / deviation weight + bias with the moments of the picture's group. Workgroups in y are channels. Aligned, where no
// quad has pixels of two pictures: workgroups in z are pictures, and an invocation takes every (64 groups.x)-th quad of the
// plane; else of the row.
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
  let row = channel * p.quadsPerRow;
  if (aligned) {
    let at = moments[first + id.z];
    let quads = p.pixels / 4u;
    let plane = row + id.z * quads;
    for (var quad = id.x; quad < quads; quad += groups.x * 64u) {
      y[plane + quad] = V4((vec4f(x[plane + quad]) - at.x) * (at.y * scale) + shift);
    }
    return;
  }
  for (var quad = id.x; quad < p.quadsPerRow; quad += groups.x * 64u) {
    // Behind the last picture is padding.
    let picture = min((vec4u(0u, 1u, 2u, 3u) + quad * 4u) / p.pixels, vec4u(p.batch - 1u)) + first;
    let a = moments[picture.x];
    let b = moments[picture.y];
    let c = moments[picture.z];
    let d = moments[picture.w];
    let mean = vec4f(a.x, b.x, c.x, d.x);
    let inverse = vec4f(a.y, b.y, c.y, d.y);
    y[row + quad] = V4((vec4f(x[row + quad]) - mean) * (inverse * scale) + shift);
  }
}
