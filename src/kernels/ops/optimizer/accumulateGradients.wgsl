// total = gradient in the first part of a batch, total + gradient in the others.
struct Parameters { quads: u32 }
@group(0) @binding(0) var<storage, read_write> total: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read> isFirst: array<u32>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    total[i] = select(total[i], vec4f(), isFirst[0] == 1u) + gradient[i];
  }
}
