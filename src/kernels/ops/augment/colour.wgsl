// torchvision's colour adjustments of a float picture in [0, 1]: adjust_brightness, adjust_contrast, adjust_saturation,
// adjust_hue, rgb_to_grayscale.
const CONTRAST = 1u;
const SATURATION = 2u;
const HUE = 3u;

fn grey(rgb: vec3f) -> f32 {
  return dot(rgb, vec3f(0.2989, 0.587, 0.114));
}

fn unit(rgb: vec3f) -> vec3f {
  return clamp(rgb, vec3f(0.0), vec3f(1.0));
}

/** The hue turned by `turns`, through hue, saturation and value (Smith 1978). */
fn turnHue(rgb: vec3f, turns: f32) -> vec3f {
  let value = max(rgb.x, max(rgb.y, rgb.z));
  let chroma = value - min(rgb.x, min(rgb.y, rgb.z));
  if (chroma == 0.0) {
    return rgb;
  }
  // In sixths of a turn.
  var hue = (rgb.x - rgb.y) / chroma + 4.0;
  if (value == rgb.x) {
    hue = (rgb.y - rgb.z) / chroma;
  } else if (value == rgb.y) {
    hue = (rgb.z - rgb.x) / chroma + 2.0;
  }
  let k = vec3f(5.0, 3.0, 1.0) + hue + 6.0 * turns;
  let within = k - 6.0 * floor(k / 6.0);
  return unit(value - chroma * clamp(min(within, 4.0 - within), vec3f(0.0), vec3f(1.0)));
}

/** Those of brightness, contrast and saturation whose turns are `start` up to `end`. */
fn blend(given: vec3f, factors: vec4f, order: vec4f, greyMean: f32, start: u32, end: u32) -> vec3f {
  var rgb = given;
  for (var turn = start; turn < end; turn++) {
    let kind = u32(order[turn]);
    let factor = factors[kind];
    if (factor != 1.0) {
      let other = select(select(0.0, greyMean, kind == CONTRAST), grey(rgb), kind == SATURATION);
      rgb = unit(factor * rgb + (1.0 - factor) * other);
    }
  }
  return rgb;
}

fn turnOf(order: vec4f, kind: u32) -> u32 {
  return u32(dot(select(vec4f(0.0), vec4f(0.0, 1.0, 2.0, 3.0), order == vec4f(f32(kind))), vec4f(1.0)));
}

/**
 * The adjustments of one picture in its order, up to turn `end`. `factors`: brightness, contrast, saturation, hue, of which
 * 1, 1, 1, 0 do nothing. `greyMean`: mean of the grey picture when contrast has its turn.
 */
fn adjust(given: vec3f, factors: vec4f, order: vec4f, greyMean: f32, end: u32) -> vec3f {
  // Hue is not one case in the loop: lanes that run in step would all compute it in every turn.
  let hueTurn = turnOf(order, HUE);
  var rgb = blend(given, factors, order, greyMean, 0u, min(hueTurn, end));
  if (hueTurn < end) {
    if (factors.w != 0.0) {
      rgb = turnHue(rgb, factors.w);
    }
    rgb = blend(rgb, factors, order, greyMean, hueTurn + 1u, end);
  }
  return rgb;
}
