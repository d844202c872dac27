// y = min(max(x, 0), upper), elementwise over whole buffers (padding of rows included).
struct Parameters { quads: u32, upper: f32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    y[i] = V1(clamp(vec4f(x[i]), vec4f(0.0), vec4f(p.upper)));
  }
}
