// Rounds float32 towards zero to an integer type. mode 0: the nearest value in range; 1: modulo 2^bits; 2: truth values; 3: NaN
// outside of the range.
struct Parameters { quads: u32, bits: u32, signed: u32, mode: u32, least: f32, most: f32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> p: Parameters;

fn rounded(value: f32) -> f32 {
  let bits = bitcast<u32>(value);
  let magnitude = bits & 0x7fffffffu;
  let is_number = magnitude <= 0x7f800000u;
  if (p.mode == 2u) {
    return select(1.0, 0.0, magnitude == 0u);
  }
  if (p.mode == 3u) {
    let whole = trunc(value);
    let fits = is_number && whole >= p.least && whole <= p.most;
    return bitcast<f32>(select(bits | 0x7fc00000u, bitcast<u32>(whole), fits));
  }
  let number = select(0.0, value, is_number);
  if (p.mode == 0u) {
    return trunc(clamp(number, p.least, p.most));
  }
  // Beyond 2^31 nothing is said of the low bits.
  let whole = i32(clamp(number, -2147483648.0, 2147483520.0));
  let unused = 32u - p.bits;
  let shifted = bitcast<u32>(whole) << unused;
  return select(f32(shifted >> unused), f32(bitcast<i32>(shifted) >> unused), p.signed == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    let values = vec4f(x[i]);
    y[i] = vec4f(rounded(values.x), rounded(values.y), rounded(values.z), rounded(values.w));
  }
}
