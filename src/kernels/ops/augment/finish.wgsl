// Unit rows [3][N h w] -> the network's input: colour, grey, normalisation, erasing, then mixing with the partner's picture,
// which is finished on the way in the same manner; in order 2 the luma of all that, one row. One invocation per PIXELS columns of one picture. Follows colour.wgsl.
struct Parameters { height: u32, width: u32, stride: u32, order: u32, factor: vec4f, offset: vec4f }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> table: array<V1>;
@group(0) @binding(2) var<storage, read> means: array<T2>;
@group(0) @binding(3) var<storage, read_write> y: array<T3>;
@group(0) @binding(4) var<uniform> p: Parameters;

const PIXELS = 4u;

/** Whether a pixel lies in the box of left, top, right, bottom; the last two are outside. */
fn isIn(box: vec4f, pixel: vec2f) -> bool {
  return all(pixel >= box.xy) && all(pixel < box.zw);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let own = group.y;
  let mixing = vec4f(table[own * 8u + 2u]).zw;
  let pasted = vec4f(table[own * 8u + 7u]);
  let mixes = mixing.x != 1.0 || any(pasted.xy != pasted.zw);
  let pixels = p.height * p.width;
  var values: array<vec3f, PIXELS>;
  for (var turn = 0u; turn < select(1u, 2u, mixes); turn++) {
    let picture = select(own, u32(mixing.y), turn == 1u);
    let factors = vec4f(table[picture * 8u + 3u]);
    let order = vec4f(table[picture * 8u + 4u]);
    let erased = vec4f(table[picture * 8u + 5u]);
    let last = vec4f(table[picture * 8u + 6u]);
    let greyMean = f32(means[picture]);
    for (var k = 0u; k < PIXELS; k++) {
      let i = (group.x * PIXELS + k) * 64u + lane;
      let pixel = vec2f(f32(i % p.width), f32(i / p.width));
      let ownShare = select(mixing.x, 0.0, isIn(pasted, pixel));
      let share = select(ownShare, 1.0 - ownShare, turn == 1u);
      if (i >= pixels || share == 0.0) {
        continue;
      }
      let column = picture * pixels + i;
      let given = vec3f(f32(x[column]), f32(x[p.stride + column]), f32(x[2u * p.stride + column]));
      var rgb = adjust(given, factors, order, greyMean, 4u);
      if (last.w != 0.0) {
        rgb = vec3f(grey(rgb));
      }
      let ordered = select(rgb, rgb.zyx, p.order == 1u);
      let value = select(ordered * p.factor.xyz + p.offset.xyz, last.xyz, isIn(erased, pixel));
      values[k] += share * value;
    }
  }
  for (var k = 0u; k < PIXELS; k++) {
    let i = (group.x * PIXELS + k) * 64u + lane;
    if (i < pixels) {
      let column = own * pixels + i;
      if (p.order == 2u) {
        y[column] = T3(dot(values[k], vec3f(0.299, 0.587, 0.114)));
        continue;
      }
      y[column] = T3(values[k].x);
      y[p.stride + column] = T3(values[k].y);
      y[2u * p.stride + column] = T3(values[k].z);
    }
  }
}
