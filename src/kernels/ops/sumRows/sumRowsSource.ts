import functions from '../pointwise/functions.wgsl.js';

/**
 * One workgroup per row: its sum over the columns, lane sums first, then a tree: the same order every time. With `gradient`, an
 * expression of `y` and `dy` (an activation's output and the gradient behind it), the row is that, and is stored besides.
 */
export function sumRowsSource(gradient: string | null): string {
  const bindings =
    gradient === null
      ? `@group(0) @binding(0) var<storage, read> values: array<V0>;
@group(0) @binding(1) var<storage, read_write> sum: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;`
      : `@group(0) @binding(0) var<storage, read> outputs: array<V0>;
@group(0) @binding(1) var<storage, read> gradients: array<V1>;
@group(0) @binding(2) var<storage, read_write> dx: array<V2>;
@group(0) @binding(3) var<storage, read_write> sum: array<T3>;
@group(0) @binding(4) var<uniform> p: Parameters;
${functions}
fn gradientOf(y: vec4f, dy: vec4f) -> vec4f {
  return ${gradient};
}`;
  const value =
    gradient === null
      ? 'let value = vec4f(values[start + quad]);'
      : `let value = gradientOf(vec4f(outputs[start + quad]), vec4f(gradients[start + quad]));
    dx[start + quad] = V2(value);`;
  return `// A power of two: one SIMD register on software adapters, where each further one costs a switch at every barrier.
override lanes: u32 = 64u;
struct Parameters { columns: u32, quadsPerRow: u32 }
${bindings}
var<workgroup> sums: array<f32, lanes>;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = group.x * p.quadsPerRow;
  var total = vec4f();
  for (var quad = lane; quad < p.quadsPerRow; quad += lanes) {
    ${value}
    // What lies behind the last column is unspecified.
    total += select(vec4f(), value, vec4u(0u, 1u, 2u, 3u) + quad * 4u < vec4u(p.columns));
  }
  sums[lane] = total.x + total.y + total.z + total.w;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    sum[group.x] = ${gradient === null ? 'T1' : 'T3'}(sums[0]);
  }
}`;
}
