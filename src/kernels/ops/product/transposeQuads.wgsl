// y[group, k, m] = x[group, m, k] in blocks of 4 x 4: m runs along x, k along y, groups along z.
struct Parameters { rowQuads: u32, columnQuads: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let m = id.x;
  if (m >= p.rowQuads) {
    return;
  }
  let matrix = id.z * p.rowQuads * p.columnQuads * 4u;
  // More columns than workgroups along a side: the rest in turns.
  for (var k = id.y; k < p.columnQuads; k += groups.y * 8u) {
    let begin = matrix + m * 4u * p.columnQuads + k;
    let block = transpose(mat4x4f(
      vec4f(x[begin]),
      vec4f(x[begin + p.columnQuads]),
      vec4f(x[begin + 2u * p.columnQuads]),
      vec4f(x[begin + 3u * p.columnQuads]),
    ));
    let to = matrix + k * 4u * p.rowQuads + m;
    y[to] = V1(block[0]);
    y[to + p.rowQuads] = V1(block[1]);
    y[to + 2u * p.rowQuads] = V1(block[2]);
    y[to + 3u * p.rowQuads] = V1(block[3]);
  }
}
