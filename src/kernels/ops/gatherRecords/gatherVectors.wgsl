// Records [P][elements] -> rows [features][N]. One invocation per 4 features of 4 records: whole quads are read and written.
struct Parameters { features: u32, count: u32, quads: u32, recordQuads: u32, offset: u32 }
@group(0) @binding(0) var<storage, read> table: array<V0>;
@group(0) @binding(1) var<storage, read> indices: array<T1>;
@group(0) @binding(2) var<storage, read_write> y: array<V2>;
@group(0) @binding(3) var<uniform> p: Parameters;

fn record(n: u32, featureQuad: u32) -> vec4f {
  return vec4f(table[indices[min(n, p.count - 1u)] * p.recordQuads + p.offset + featureQuad]);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  let featureQuad = i / p.quads;
  let quad = i % p.quads;
  let feature = featureQuad * 4u;
  if (feature >= p.features) {
    return;
  }
  let t = transpose(mat4x4f(
    record(quad * 4u, featureQuad),
    record(quad * 4u + 1u, featureQuad),
    record(quad * 4u + 2u, featureQuad),
    record(quad * 4u + 3u, featureQuad),
  ));
  let at = feature * p.quads + quad;
  y[at] = V2(t[0]);
  if (feature + 1u < p.features) {
    y[at + p.quads] = V2(t[1]);
  }
  if (feature + 2u < p.features) {
    y[at + 2u * p.quads] = V2(t[2]);
  }
  if (feature + 3u < p.features) {
    y[at + 3u * p.quads] = V2(t[3]);
  }
}
