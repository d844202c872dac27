// dWeight[k] = sum over groups of dy xhat, dBias[k] = sum of dy. A workgroup takes `columns` elements k, `lanes` invocations each
// share the groups; their sums are added in a fixed tree. Both are powers of two.
override lanes: u32 = 64u;
override columns: u32 = 1u;
struct Parameters { size: u32, groups: u32, inner: u32, outer: u32, stride: u32, count: u32 }
@group(0) @binding(0) var<storage, read> x: array<S0>;
@group(0) @binding(1) var<storage, read> dy: array<S1>;
@group(0) @binding(2) var<storage, read> moments: array<S2>;
@group(0) @binding(3) var<storage, read_write> dWeight: array<T3>;
@group(0) @binding(4) var<storage, read_write> dBias: array<T4>;
@group(0) @binding(5) var<uniform> p: Parameters;
var<workgroup> sums: array<vec2f, lanes * columns>;

@compute @workgroup_size(lanes * columns)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = local / columns;
  let wanted = (workgroup.y * workgroups.x + workgroup.x) * columns + local % columns;
  let k = min(wanted, p.size - 1u);
  var plain = vec4f();
  var weighted = vec4f();
  for (var g = lane; g < p.groups; g += lanes) {
    let i = (g / p.inner) * p.outer + g % p.inner + k * p.stride;
    var upstream = vec4f(E(dy[i]));
    var normalized = vec4f((E(x[i]) - E(moments[g])) * E(moments[p.groups + g]));
    // Of four groups, what lies behind the last is unspecified; a single one fills all four and counts once.
    let counts = vec4u(0u, 1u, 2u, 3u) + g * select(1u, 4u, quads) < vec4u(select(g + 1u, p.count, quads));
    upstream = select(vec4f(), upstream, counts);
    plain += upstream;
    weighted += select(vec4f(), upstream * normalized, counts);
  }
  sums[local] = vec2f(weighted.x + weighted.y + weighted.z + weighted.w, plain.x + plain.y + plain.z + plain.w);
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[local] += sums[local + half * columns];
    }
  }
  if (lane == 0u && wanted < p.size) {
    dWeight[k] = T3(sums[local].x);
    dBias[k] = T4(sums[local].y);
  }
}
