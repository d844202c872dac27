// A factor for each picture: 1 / (1 - rate) where its random number is at least the rate, else 0.
struct Parameters { pictures: u32, operation: u32, rate: f32 }
@group(0) @binding(0) var<storage, read> step: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= p.pictures) {
    return;
  }
  // step[2] pictures of the batch are before these.
  let isKept = uniformNumber(step[0], step[1], p.operation, id.x + step[2]) >= p.rate;
  y[id.x] = T1(select(0.0, 1.0 / (1.0 - p.rate), isKept));
}
