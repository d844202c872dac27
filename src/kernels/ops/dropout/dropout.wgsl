// y = x / (1 - rate) where the random number of the element, or of all `unit` elements with one draw, is at least the rate, else 0.
struct Parameters { elements: u32, channels: u32, pixels: u32, stride: u32, operation: u32, unit: u32, rate: f32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.elements) {
    return;
  }
  let pixel = i % p.pixels;
  let channel = (i / p.pixels) % p.channels;
  let image = i / (p.pixels * p.channels);
  let at = channel * p.stride + image * p.pixels + pixel;
  // step[2] pictures of the batch are before these.
  let drawn = (i + step[2] * p.channels * p.pixels) / p.unit;
  let isKept = uniformNumber(step[0], step[1], p.operation, drawn) >= p.rate;
  y[at] = T2(select(0.0, f32(x[at]) / (1.0 - p.rate), isKept));
}
