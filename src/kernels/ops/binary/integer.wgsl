// Of integers in float32. A remainder with the sign of the divisor.
fn integerModulo(a: vec4f, b: vec4f) -> vec4f {
  let divisor = vec4i(b);
  let rest = vec4i(a) % divisor;
  let differs = (rest != vec4i()) & ((rest < vec4i()) != (divisor < vec4i()));
  return vec4f(select(rest, rest + divisor, differs));
}
