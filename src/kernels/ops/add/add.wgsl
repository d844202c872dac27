// sum = a + b, then clamped to [0, upper] where an activation is fused.
struct Parameters { quads: u32, fused: u32, upper: f32 }
@group(0) @binding(0) var<storage, read> a: array<V0>;
@group(0) @binding(1) var<storage, read> b: array<V1>;
@group(0) @binding(2) var<storage, read_write> sum: array<V2>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    var value = vec4f(a[i]) + vec4f(b[i]);
    if (p.fused == 1u) {
      value = clamp(value, vec4f(0.0), vec4f(p.upper));
    }
    sum[i] = V2(value);
  }
}
