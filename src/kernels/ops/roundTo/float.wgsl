// Rounds float32 to a smaller floating-point type, on its bits: comparisons and arithmetic of drivers may lose NaN, infinities and
// subnormal numbers.
struct Parameters { quads: u32, fraction: i32, least_exponent: i32, largest: f32, saturate: u32, infinity: u32, nan: u32, negative_zero: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> p: Parameters;

const INFINITY = 0x7f800000u;
const NAN = 0x7fc00000u;

// What a value beyond the type's range becomes.
fn beyond(sign: u32) -> u32 {
  if (p.saturate == 1u || (p.infinity == 0u && p.nan == 0u)) {
    return sign | bitcast<u32>(p.largest);
  }
  return select(NAN, sign | INFINITY, p.infinity == 1u);
}

fn rounded(bits: u32) -> u32 {
  let sign = bits & 0x80000000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > INFINITY) {
    // Without a NaN, ONNX has 0 here.
    return select(0u, NAN, p.nan == 1u);
  }
  if (magnitude == INFINITY) {
    return beyond(sign);
  }
  let zero = select(0u, sign, p.negative_zero == 1u);
  let exponent = i32(magnitude >> 23u) - 127;
  // Of the 24 bits of a number, those that the type does not keep. A subnormal float32 is too small for all types but bfloat16,
  // which has the same exponents.
  let dropped = 23 - p.fraction + select(max(0, p.least_exponent - exponent), 0, p.least_exponent < -125);
  if (dropped > 24) {
    return zero;
  }
  let shift = u32(dropped);
  let is_plain = p.least_exponent < -125 || exponent >= p.least_exponent;
  var result: u32;
  if (is_plain) {
    // The bits of exponent and fraction count on as one number.
    let half = (1u << (shift - 1u)) - 1u + ((magnitude >> shift) & 1u);
    result = ((magnitude + half) >> shift) << shift;
  } else {
    let significand = (magnitude & 0x7fffffu) | 0x800000u;
    let half = (1u << (shift - 1u)) - 1u + ((significand >> shift) & 1u);
    let steps = (significand + half) >> shift;
    if (steps == 0u) {
      return zero;
    }
    // steps * 2^(least_exponent - fraction)
    result = bitcast<u32>(f32(steps)) + (bitcast<u32>(p.least_exponent - p.fraction) << 23u);
  }
  return select(sign | result, beyond(sign), result > bitcast<u32>(p.largest));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    let bits = bitcast<vec4u>(vec4f(x[i]));
    y[i] = bitcast<vec4f>(vec4u(rounded(bits.x), rounded(bits.y), rounded(bits.z), rounded(bits.w)));
  }
}
