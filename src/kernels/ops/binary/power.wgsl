// a ^ b. WGSL's pow takes no negative bases; with those, integer exponents keep or drop the sign.
fn power(a: vec4f, b: vec4f) -> vec4f {
  let magnitude = pow(abs(a), b);
  let isOdd = abs(b - 2.0 * floor(b * 0.5)) == vec4f(1.0);
  let signed = select(magnitude, -magnitude, (a < vec4f()) & isOdd);
  return select(signed, vec4f(1.0), b == vec4f());
}
fn powerBaseDerivative(a: vec4f, b: vec4f) -> vec4f {
  return select(b * power(a, b - 1.0), vec4f(), b == vec4f());
}
// Of a base that is not positive there is no derivative by the exponent.
fn powerExponentDerivative(a: vec4f, b: vec4f) -> vec4f {
  return select(vec4f(), power(a, b) * log(max(a, vec4f(1e-37))), a > vec4f());
}
