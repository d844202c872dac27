// Unit rows [3][N h w] -> the network's input: colour, grey, normalisation, erasing, then mixing with the partner's picture,
// which is finished on the way in the same manner. One invocation per PIXELS columns of one picture. Follows colour.wgsl.
struct Parameters { height: u32, width: u32, stride: u32, reversed: u32, factor: vec4f, offset: vec4f }
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

fn finished(picture: u32, i: u32, pixel: vec2f) -> vec3f {
  let row = picture * 8u;
  let column = picture * p.height * p.width + i;
  let given = vec3f(f32(x[column]), f32(x[p.stride + column]), f32(x[2u * p.stride + column]));
  var rgb = adjust(given, vec4f(table[row + 3u]), vec4f(table[row + 4u]), f32(means[picture]), 4u);
  let last = vec4f(table[row + 6u]);
  if (last.w != 0.0) {
    rgb = vec3f(grey(rgb));
  }
  let ordered = select(rgb, rgb.zyx, p.reversed == 1u);
  return select(ordered * p.factor.xyz + p.offset.xyz, last.xyz, isIn(vec4f(table[row + 5u]), pixel));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let picture = group.y;
  let mixing = vec4f(table[picture * 8u + 2u]).zw;
  let pasted = vec4f(table[picture * 8u + 7u]);
  let pixels = p.height * p.width;
  for (var k = 0u; k < PIXELS; k++) {
    let i = (group.x * PIXELS + k) * 64u + lane;
    if (i >= pixels) {
      break;
    }
    let pixel = vec2f(f32(i % p.width), f32(i / p.width));
    let own = select(mixing.x, 0.0, isIn(pasted, pixel));
    var value = vec3f(0.0);
    for (var turn = 0u; turn < 2u; turn++) {
      let share = select(own, 1.0 - own, turn == 1u);
      if (share != 0.0) {
        value += share * finished(select(picture, u32(mixing.y), turn == 1u), i, pixel);
      }
    }
    let column = picture * pixels + i;
    y[column] = T3(value.x);
    y[p.stride + column] = T3(value.y);
    y[2u * p.stride + column] = T3(value.z);
  }
}
