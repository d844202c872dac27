// dx of a reduction, one invocation per element of x: `gradient(there, here)` of the results' and x's own places.
struct Parameters { count: u32, rank: u32, from_: i32, to: i32, scale: f32, unused0: u32, unused1: u32, unused2: u32, axes: array<vec4i, 8> }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.count) {
    let place = placeAt(i);
    dx[place.y] = Result(gradient(place.x, place.y));
  }
}
