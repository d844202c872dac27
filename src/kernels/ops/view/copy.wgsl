// Copies a strided view of one buffer to a strided view of another. `From` and `To` are single elements or quads.
struct Parameters { count: u32, rank: u32, from_: i32, to: i32, axes: array<vec4i, 8> }
@group(0) @binding(0) var<storage, read> source_: array<From>;
@group(0) @binding(1) var<storage, read_write> target_: array<To>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.count) {
    let place = placeAt(i);
    target_[place.y] = To(source_[place.x]);
  }
}
