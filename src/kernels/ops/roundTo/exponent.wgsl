// Rounds float32 to powers of two from 2^-127 to 2^127 (OCP microscaling formats 1.0, E8M0): no sign, no zero, one NaN.
struct Parameters { quads: u32, saturate: u32, mode: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> p: Parameters;

const NAN = 0x7fc00000u;

fn rounded(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u || (bits != magnitude && magnitude != 0u)) {
    return NAN;
  }
  let fraction = magnitude & 0x7fffffu;
  var code = magnitude >> 23u;
  if (code == 0u) {
    // Below 2^-126: 2^-127 is half of it.
    code = select(0u, 1u, (p.mode == 0u && fraction > 0x400000u) || (p.mode == 2u && fraction >= 0x600000u));
  } else {
    code += select(0u, 1u, (p.mode == 0u && fraction > 0u) || (p.mode == 2u && fraction >= 0x400000u));
  }
  if (code > 254u) {
    return select(NAN, 254u << 23u, p.saturate == 1u);
  }
  return select(code << 23u, 0x400000u, code == 0u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    let bits = bitcast<vec4u>(vec4f(x[i]));
    y[i] = bitcast<vec4f>(vec4u(rounded(bits.x), rounded(bits.y), rounded(bits.z), rounded(bits.w)));
  }
}
