// Rows [C][N P] <-> rows [C P][N], P pixels. One invocation per element; forward = 1 flattens, 0 restores.
struct Parameters { elements: u32, batch: u32, pixels: u32, mapStride: u32, vectorStride: u32, forward: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.elements) {
    return;
  }
  let image = i % p.batch;
  let feature = i / p.batch;
  let map = (feature / p.pixels) * p.mapStride + image * p.pixels + feature % p.pixels;
  let vector = feature * p.vectorStride + image;
  if (p.forward == 1u) {
    y[vector] = T1(f32(x[map]));
  } else {
    y[map] = T1(f32(x[vector]));
  }
}
