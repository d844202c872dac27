// y = exp(x - largest) / sum, or its logarithm x - largest - log(sum).
struct Parameters { size: u32, groups: u32, inner: u32, outer: u32, stride: u32, log: u32 }
@group(0) @binding(0) var<storage, read> x: array<S0>;
@group(0) @binding(1) var<storage, read_write> y: array<S1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(lanes * columns)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = place(workgroup, workgroups, local);
  let g = min(at.group, p.groups - 1u);
  let start = (g / p.inner) * p.outer + g % p.inner;
  // Largest value and sum in one pass, four values at a time: what was summed so far is brought down to a new largest value (Milakov
  // and Gimelshein 2018, "Online normalizer calculation for softmax").
  var top = E(-3.4e38);
  var sum = E();
  for (var k = at.lane; k < p.size; k += 4u * lanes) {
    let a = value(start, k);
    let b = value(start, k + lanes);
    let c = value(start, k + 2u * lanes);
    let d = value(start, k + 3u * lanes);
    let next = max(top, max(max(a, b), max(c, d)));
    sum = sum * exp(top - next) + (exp(a - next) + exp(b - next) + (exp(c - next) + exp(d - next)));
    top = next;
  }
  let own = top;
  top = largest(at, own);
  sum = total(at, sum * exp(own - top));
  if (at.group >= p.groups) {
    return;
  }
  let logSum = log(sum);
  let factor = 1.0 / sum;
  for (var k = at.lane; k < p.size; k += lanes) {
    let i = start + k * p.stride;
    let shifted = E(x[i]) - top;
    y[i] = S1(select(exp(shifted) * factor, shifted - logSum, p.log == 1u));
  }
}

// Element k of a group; behind its end what adds nothing.
fn value(start: u32, k: u32) -> E {
  return select(E(-3.4e38), E(x[start + min(k, p.size - 1u) * p.stride]), k < p.size);
}
