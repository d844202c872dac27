// dx = y (dy - sum over channels of y dy).
struct Parameters { channels: u32, columns: u32, stride: u32 }
@group(0) @binding(0) var<storage, read> y: array<T0>;
@group(0) @binding(1) var<storage, read> dy: array<T1>;
@group(0) @binding(2) var<storage, read_write> dx: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = id.y * groups.x * 64u + id.x;
  if (column >= p.columns) {
    return;
  }
  var product = 0.0;
  for (var c = 0u; c < p.channels; c++) {
    let i = c * p.stride + column;
    product += f32(y[i]) * f32(dy[i]);
  }
  for (var c = 0u; c < p.channels; c++) {
    let i = c * p.stride + column;
    dx[i] = T2(f32(y[i]) * (f32(dy[i]) - product));
  }
}
