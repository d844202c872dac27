// dx = dy where 0 < y < upper, else 0: the gradient told from the output alone.
struct Parameters { quads: u32, upper: f32 }
@group(0) @binding(0) var<storage, read> y: array<V0>;
@group(0) @binding(1) var<storage, read> dy: array<V1>;
@group(0) @binding(2) var<storage, read_write> dx: array<V2>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    let value = vec4f(y[i]);
    dx[i] = V2(select(vec4f(0.0), vec4f(dy[i]), (value > vec4f(0.0)) & (value < vec4f(p.upper))));
  }
}
