// y[i] = sum over parts s, in order, of x[s, i], in quads.
struct Parameters { quads: u32, parts: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.quads) {
    return;
  }
  var sum = vec4f();
  for (var part = 0u; part < p.parts; part++) {
    sum += vec4f(x[part * p.quads + i]);
  }
  y[i] = V1(sum);
}
