// y[r, n] = sum over parts s, in order, of x[s, r, n], rows of x being `stride` apart.
struct Parameters { rows: u32, columns: u32, stride: u32, parts: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.rows * p.columns) {
    return;
  }
  let row = i / p.columns;
  let start = row * p.stride + (i - row * p.columns);
  var sum = 0.0;
  for (var part = 0u; part < p.parts; part++) {
    sum += f32(x[part * p.rows * p.stride + start]);
  }
  y[i] = T1(sum);
}
