// scale = min(1, maxNorm / (norm + 1e-6)).
struct Parameters { count: u32, maxNorm: f32 }
@group(0) @binding(0) var<storage, read> partial_: array<f32>;
@group(0) @binding(1) var<storage, read_write> scale: array<f32>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(1)
fn main() {
  var sum = 0.0;
  for (var i = 0u; i < p.count; i++) {
    sum += partial_[i];
  }
  scale[0] = min(1.0, p.maxNorm / (sqrt(sum) + 1e-6));
}
