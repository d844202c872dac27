// Softmax over the rows (channels) of each column, with the column's maximum taken off first.
struct Parameters { channels: u32, columns: u32, stride: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = id.y * groups.x * 64u + id.x;
  if (column >= p.columns) {
    return;
  }
  var largest = f32(x[column]);
  for (var c = 1u; c < p.channels; c++) {
    largest = max(largest, f32(x[c * p.stride + column]));
  }
  var sum = 0.0;
  for (var c = 0u; c < p.channels; c++) {
    let e = exp(f32(x[c * p.stride + column]) - largest);
    y[c * p.stride + column] = T1(e);
    sum += e;
  }
  for (var c = 0u; c < p.channels; c++) {
    y[c * p.stride + column] = T1(f32(y[c * p.stride + column]) / sum);
  }
}
