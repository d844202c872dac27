// Functions of one variable that WGSL lacks, or has only with results that drivers may spoil: exp overflows behind 88.7, and
// infinities are undefined behaviour. A derivative takes the input x, or the output y where that suffices.

// 1 or 0. By the bits: a compiler may assume that comparisons meet neither NaN nor infinities.
fn isNotANumber(x: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1.0), (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}
fn isInfinite(x: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1.0), (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) == vec4u(0x7f800000u));
}

fn sigmoid(x: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-max(x, vec4f(-88.0))));
}

// The built-in tanh may overflow. Below 0.25 by its Taylor series, which keeps the relative precision.
fn hyperbolicTangent(x: vec4f) -> vec4f {
  let u = x * x;
  let series = x * (1.0 + u * (-1.0 / 3.0 + u * (2.0 / 15.0 + u * (-17.0 / 315.0 + u * 62.0 / 2835.0))));
  let e = exp(-2.0 * abs(x));
  return select(sign(x) * (1.0 - e) / (1.0 + e), series, abs(x) < vec4f(0.25));
}

fn softplus(x: vec4f) -> vec4f {
  return max(x, vec4f(0.0)) + log(1.0 + exp(-abs(x)));
}

fn hardSwish(x: vec4f) -> vec4f {
  return x * clamp(x / 6.0 + 0.5, vec4f(0.0), vec4f(1.0));
}
fn hardSwishDerivative(x: vec4f) -> vec4f {
  return select(step(vec4f(0.0), x), x / 3.0 + 0.5, abs(x) < vec4f(3.0));
}

fn siluDerivative(x: vec4f) -> vec4f {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}

// erf and the normal distribution. Below 1, erf(z) = z Q(z^2); above, erfc(z) = exp(-z^2) t P(t) with t = 1 / (1 + 0.45 z), the
// form of Hastings (1955; Abramowitz and Stegun 7.1.26). P and Q are minimax polynomials, fitted by Lawson's iteration to erf in
// 40 digits, P in relative error on [1, 6]. The error of erf in float32 stays below 2e-7.
fn erfBelowOne(z: vec4f) -> vec4f {
  let u = z * z;
  return z * (1.12837917 + u * (-0.376126271 + u * (0.112836002 + u * (-0.0268544443
    + u * (0.00518953474 + u * (-0.000802083518 + u * 0.0000788909669))))));
}
fn erfcAboveOne(magnitude: vec4f) -> vec4f {
  // erfc(9) is 4e-37.
  let z = min(magnitude, vec4f(9.0));
  let t = 1.0 / (1.0 + 0.45 * z);
  return exp(-z * z) * t * (0.254337203 + t * (0.24710257 + t * (0.269919342 + t * (0.0426573654
    + t * (0.340334758 - t * 0.154596374)))));
}
fn errorFunction(x: vec4f) -> vec4f {
  return select(sign(x) * (1.0 - erfcAboveOne(abs(x))), erfBelowOne(x), abs(x) < vec4f(1.0));
}
fn errorFunctionDerivative(x: vec4f) -> vec4f {
  return 1.1283791670955126 * exp(-min(x * x, vec4f(88.0)));
}
fn normalDistribution(x: vec4f) -> vec4f {
  let z = x * 0.7071067811865476;
  let tail = 0.5 * erfcAboveOne(abs(z));
  return select(select(1.0 - tail, tail, z < vec4f(0.0)), 0.5 + 0.5 * erfBelowOne(z), abs(z) < vec4f(1.0));
}

fn geluDerivative(x: vec4f) -> vec4f {
  // The density is 0 in float32 behind 13.
  let near = clamp(x, vec4f(-14.0), vec4f(14.0));
  return normalDistribution(x) + near * 0.3989422804014327 * exp(-0.5 * near * near);
}

// tanh(sqrt(2 / pi) (x + 0.044715 x^3)), which is 1 in float32 behind 10.
fn geluTanhFactor(x: vec4f) -> vec4f {
  let near = clamp(x, vec4f(-10.0), vec4f(10.0));
  return hyperbolicTangent(0.7978845608028654 * near * (1.0 + 0.044715 * near * near));
}
fn geluTanhDerivative(x: vec4f) -> vec4f {
  let near = clamp(x, vec4f(-10.0), vec4f(10.0));
  let t = geluTanhFactor(x);
  return 0.5 * (1.0 + t) + 0.5 * near * (1.0 - t * t) * 0.7978845608028654 * (1.0 + 0.134145 * near * near);
}

// tanh(softplus(x)) = n / (n + 2) with n = (1 + exp(x))^2 - 1, which is 1 in float32 behind 20.
fn mishFactor(x: vec4f) -> vec4f {
  let e = exp(min(x, vec4f(20.0)));
  let n = e * (e + 2.0);
  return n / (n + 2.0);
}
fn mishDerivative(x: vec4f) -> vec4f {
  let near = min(x, vec4f(20.0));
  let e = exp(near);
  let n = e * (e + 2.0);
  return n / (n + 2.0) + near * sigmoid(near) * 4.0 * (n + 1.0) / ((n + 2.0) * (n + 2.0));
}
