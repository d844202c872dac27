// Copies whole rows from one tensor into another, quad by quad.
struct Parameters { quads: u32, from_: u32, to: u32 }
@group(0) @binding(0) var<storage, read> source_: array<V0>;
@group(0) @binding(1) var<storage, read_write> target_: array<V1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    target_[p.to + i] = V1(vec4f(source_[p.from_ + i]));
  }
}
