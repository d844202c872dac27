struct Parameters { quads: u32, bits: u32 }
@group(0) @binding(0) var<storage, read_write> target_: array<V0>;
@group(0) @binding(1) var<uniform> parameters: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < parameters.quads) {
    target_[i] = V0(vec4f(bitcast<f32>(parameters.bits)));
  }
}
