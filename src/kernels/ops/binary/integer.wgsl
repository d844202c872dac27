// Of integers in float32. A remainder with the sign of the divisor.
fn integerModulo(a: vec4f, b: vec4f) -> vec4f {
  let divisor = vec4i(b);
  let rest = vec4i(a) % divisor;
  let differs = (rest != vec4i()) & ((rest < vec4i()) != (divisor < vec4i()));
  return vec4f(select(rest, rest + divisor, differs));
}

// By repeated squaring: exact as long as the results are below 2^24. Negative exponents leave 0, of 1 and -1 themselves.
fn integerPower(a: vec4f, b: vec4f) -> vec4f {
  var exponent = vec4u(abs(b));
  var base = a;
  var result = vec4f(1.0);
  for (var bit = 0u; bit < 32u && any(exponent != vec4u()); bit++) {
    result = select(result, result * base, (exponent & vec4u(1u)) == vec4u(1u));
    exponent >>= vec4u(1u);
    base = select(base, base * base, exponent != vec4u());
  }
  return select(result, select(vec4f(), result, abs(a) == vec4f(1.0)), b < vec4f());
}
