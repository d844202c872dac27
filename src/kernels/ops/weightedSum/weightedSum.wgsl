// sum = p.x a + p.y b, one number each.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum: array<f32>;
@group(0) @binding(3) var<uniform> p: vec2f;

@compute @workgroup_size(1)
fn main() {
  sum[0] = p.x * a[0] + p.y * b[0];
}
