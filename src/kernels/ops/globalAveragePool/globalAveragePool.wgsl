// One invocation per (channel, picture): the mean of its pixels, summed in order.
struct Parameters { channels: u32, batch: u32, pixels: u32, inputStride: u32, outputStride: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.channels * p.batch) {
    return;
  }
  let channel = i / p.batch;
  let image = i % p.batch;
  let start = channel * p.inputStride + image * p.pixels;
  var sum = 0.0;
  for (var pixel = 0u; pixel < p.pixels; pixel++) {
    sum += f32(x[start + pixel]);
  }
  y[channel * p.outputStride + image] = T1(sum / f32(p.pixels));
}
