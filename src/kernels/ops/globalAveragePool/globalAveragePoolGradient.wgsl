// Every pixel gets its picture's gradient divided by the number of pixels.
struct Parameters { channels: u32, batch: u32, pixels: u32, inputStride: u32, outputStride: u32 }
@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(1) var<storage, read_write> dx: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  let columns = p.batch * p.pixels;
  if (i >= p.channels * columns) {
    return;
  }
  let channel = i / columns;
  let column = i % columns;
  dx[channel * p.inputStride + column] = T1(f32(dy[channel * p.outputStride + column / p.pixels]) / f32(p.pixels));
}
