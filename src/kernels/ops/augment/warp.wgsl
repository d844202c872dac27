// Bytes [N, H, W, 3] -> rows [3][N h w], byte / 255. An output pixel is taken back to the cropped canvas by its picture's affine
// map and from there into its box of the source, where a triangle filter, widened where the box shrinks onto the canvas, weighs
// its pixels: PyTorch's upsample_bilinear2d with antialiasing. What lies beside the canvas is `fill`, blended as bilinear
// interpolation does. One invocation per PIXELS columns of one picture.
struct Parameters { height: u32, width: u32, sourceHeight: u32, sourceWidth: u32, fill: vec3f, stride: u32, lastWord: u32 }
@group(0) @binding(0) var<storage, read> bytes: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<V1>;
@group(0) @binding(2) var<storage, read_write> y: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;

const PIXELS = 4u;

/** The pixel whose three bytes begin at `offset`. */
fn pixelAt(offset: u32) -> vec3f {
  let word = offset / 4u;
  let shift = (offset % 4u) * 8u;
  let low = bytes[word] >> shift;
  // The next word holds the rest where the pixel begins in the last two bytes of a word.
  let high = bytes[min(word + 1u, p.lastWord)];
  let bits = select(low, low | (high << ((32u - shift) % 32u)), shift > 8u);
  return vec3f(unpack4xU8(bits).xyz);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let picture = group.y;
  let rowX = vec4f(table[picture * 8u]);
  let rowY = vec4f(table[picture * 8u + 1u]);
  let low = vec2f(rowX.w, rowY.w);
  let size = vec4f(table[picture * 8u + 2u]).xy;
  let high = low + size;
  let canvas = vec2f(f32(p.width), f32(p.height));
  let scale = size / canvas;
  let support = max(vec2f(1.0), scale);
  let pixels = p.height * p.width;
  let picturePixels = picture * p.sourceHeight * p.sourceWidth;
  for (var k = 0u; k < PIXELS; k++) {
    let i = (group.x * PIXELS + k) * 64u + lane;
    if (i >= pixels) {
      break;
    }
    let at = vec3f(f32(i % p.width), f32(i / p.width), 1.0);
    let position = vec2f(dot(rowX.xyz, at), dot(rowY.xyz, at));
    let inside = clamp(min(position + 1.0, canvas - position), vec2f(0.0), vec2f(1.0));
    let centre = clamp(low + (position + 0.5) * scale, low, high);
    let first = vec2i(max(floor(centre - support + 0.5), low));
    let last = vec2i(min(floor(centre + support + 0.5), high));
    var sum = vec3f(0.0);
    var total = 0.0;
    for (var sy = first.y; sy < last.y; sy++) {
      let weightY = max(0.0, 1.0 - abs(f32(sy) + 0.5 - centre.y) / support.y);
      for (var sx = first.x; sx < last.x; sx++) {
        let weight = weightY * max(0.0, 1.0 - abs(f32(sx) + 0.5 - centre.x) / support.x);
        sum += weight * pixelAt((picturePixels + u32(sy) * p.sourceWidth + u32(sx)) * 3u);
        total += weight;
      }
    }
    let value = mix(p.fill, sum / max(total, 1e-6), inside.x * inside.y) / 255.0;
    let column = picture * pixels + i;
    y[column] = T2(value.x);
    y[p.stride + column] = T2(value.y);
    y[2u * p.stride + column] = T2(value.z);
  }
}
