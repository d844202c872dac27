// One workgroup per picture: the mean of its grey values when contrast has its turn; 0 where its contrast stays. Lane sums
// first, then a tree: the same order every time. Follows colour.wgsl.
override lanes: u32 = 64u;
struct Parameters { pixels: u32, stride: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> table: array<V1>;
@group(0) @binding(2) var<storage, read_write> means: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;
var<workgroup> sums: array<f32, lanes>;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let picture = group.x;
  let factors = vec4f(table[picture * 8u + 3u]);
  let order = vec4f(table[picture * 8u + 4u]);
  let end = turnOf(order, CONTRAST);
  let pixels = select(p.pixels, 0u, factors.y == 1.0);
  var sum = 0.0;
  for (var i = lane; i < pixels; i += lanes) {
    let column = picture * p.pixels + i;
    let rgb = vec3f(f32(x[column]), f32(x[p.stride + column]), f32(x[2u * p.stride + column]));
    sum += grey(adjust(rgb, factors, order, 0.0, end));
  }
  sums[lane] = sum;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    means[picture] = T2(sums[0] / f32(p.pixels));
  }
}
