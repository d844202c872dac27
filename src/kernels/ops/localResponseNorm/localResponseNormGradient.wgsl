// dx_i = dy_i base_i^-beta - 2 alpha beta / size x_i sum of dy_c x_c base_c^(-beta - 1) over the channels c in whose window i is.
// Walks as localResponseNorm does; `before` counts those of them that precede i.
struct Parameters { channels: u32, quadsPerRow: u32, perInvocation: u32, scale: f32, beta: f32, k: f32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> dy: array<V1>;
@group(0) @binding(2) var<storage, read> bases: array<V2>;
@group(0) @binding(3) var<storage, read_write> dx: array<V3>;
@group(0) @binding(4) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= p.quadsPerRow) {
    return;
  }
  let first = id.y * p.perInvocation;
  let last = min(first + p.perInvocation, p.channels);
  var values: array<vec4f, size>;
  var direct: array<vec4f, size>;
  var through: array<vec4f, size>;
  const after = size - 1u - before;
  for (var step = first; step < last + size - 1u; step++) {
    for (var i = 0u; i + 1u < size; i++) {
      values[i] = values[i + 1u];
      direct[i] = direct[i + 1u];
      through[i] = through[i + 1u];
    }
    let enters = step >= before && step - before < p.channels;
    let source = (max(step, before) - before) * p.quadsPerRow + id.x;
    if (enters) {
      let base = vec4f(bases[source]);
      values[size - 1u] = vec4f(x[source]);
      direct[size - 1u] = vec4f(dy[source]) * pow(base, vec4f(-p.beta));
      through[size - 1u] = direct[size - 1u] * values[size - 1u] / base;
    } else {
      values[size - 1u] = vec4f();
      direct[size - 1u] = vec4f();
      through[size - 1u] = vec4f();
    }
    if (step >= first + size - 1u) {
      var sum = vec4f();
      for (var i = 0u; i < size; i++) {
        sum += through[i];
      }
      let at = (step - before - after) * p.quadsPerRow + id.x;
      dx[at] = V3(direct[before] - 2.0 * p.beta * p.scale * values[before] * sum);
    }
  }
}
