// dx = dy where 0 < y < upper, else 0: the gradient told from the output alone.
struct Parameters { quads: u32, upper: f32 }
@group(0) @binding(0) var<storage, read> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    let value = y[i];
    dx[i] = select(vec4f(0.0), dy[i], (value > vec4f(0.0)) & (value < vec4f(p.upper)));
  }
}
