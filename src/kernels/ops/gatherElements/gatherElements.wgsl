// y[outer, k, inner] = data[outer, indices[outer, k, inner], inner]; NaN where there is no such element.
struct Parameters { count: u32, inner: u32, size: u32, chosen: u32, missing: f32 }
@group(0) @binding(0) var<storage, read> data: array<T0>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let outer = i / (p.chosen * p.inner);
  let index = indices[i];
  let at = (outer * p.size + min(index, p.size - 1u)) * p.inner + i % p.inner;
  y[i] = T2(select(p.missing, f32(data[at]), index < p.size));
}
