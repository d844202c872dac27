// y[row, outer, k, inner] = data[row, outer, indices[k], inner]; NaN where there is no such element.
struct Parameters { count: u32, per_row: u32, inner: u32, size: u32, chosen: u32, data_stride: u32, stride: u32, missing: f32 }
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
  let row = i / p.per_row;
  let element = i - row * p.per_row;
  let line = element / p.inner;
  let outer = line / p.chosen;
  let index = indices[line - outer * p.chosen];
  let at = row * p.data_stride + (outer * p.size + min(index, p.size - 1u)) * p.inner + (element - line * p.inner);
  y[row * p.stride + element] = T2(select(p.missing, f32(data[at]), index < p.size));
}
