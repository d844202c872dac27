// base_c = k + alpha / size sum over the window of x^2, y_c = x_c base_c^-beta. An invocation takes a quad of columns and walks down
// its channels; the window, the last `size` channels, moves along in registers and is summed anew each time, so no error grows.
// The constants size and before (how many of the window's channels precede its own) stand before this text.
struct Parameters { channels: u32, quadsPerRow: u32, perInvocation: u32, scale: f32, beta: f32, k: f32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<storage, read_write> bases: array<V2>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= p.quadsPerRow) {
    return;
  }
  let first = id.y * p.perInvocation;
  let last = min(first + p.perInvocation, p.channels);
  var window: array<vec4f, size>;
  const after = size - 1u - before;
  for (var step = first; step < last + size - 1u; step++) {
    for (var i = 0u; i + 1u < size; i++) {
      window[i] = window[i + 1u];
    }
    // Channel step - before enters.
    let enters = step >= before && step - before < p.channels;
    window[size - 1u] = select(vec4f(), vec4f(x[(max(step, before) - before) * p.quadsPerRow + id.x]), enters);
    if (step >= first + size - 1u) {
      var squares = vec4f();
      for (var i = 0u; i < size; i++) {
        squares += window[i] * window[i];
      }
      let base = p.k + p.scale * squares;
      let at = (step - before - after) * p.quadsPerRow + id.x;
      bases[at] = V2(base);
      y[at] = V1(window[before] * pow(base, vec4f(-p.beta)));
    }
  }
}
