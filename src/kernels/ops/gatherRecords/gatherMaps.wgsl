// Records [P][elements], each with [C][pixels] from `offset` on -> rows [C][N pixels]. One invocation per four columns of a row.
struct Parameters { channels: u32, columns: u32, quads: u32, pixels: u32, elements: u32, offset: u32 }
@group(0) @binding(0) var<storage, read> table: array<T0>;
@group(0) @binding(1) var<storage, read> indices: array<T1>;
@group(0) @binding(2) var<storage, read_write> y: array<V2>;
@group(0) @binding(3) var<uniform> p: Parameters;

fn element(column: u32, channel: u32) -> f32 {
  let clamped = min(column, p.columns - 1u);
  let pixel = clamped % p.pixels;
  return f32(table[indices[clamped / p.pixels] * p.elements + p.offset + channel * p.pixels + pixel]);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  let channel = i / p.quads;
  if (channel >= p.channels) {
    return;
  }
  let column = (i % p.quads) * 4u;
  y[i] = V2(vec4f(
    element(column, channel),
    element(column + 1u, channel),
    element(column + 2u, channel),
    element(column + 3u, channel),
  ));
}
