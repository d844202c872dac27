// Bytes [N, H, W, 3] -> rows [3][N H W]: value = byte * factor[c] + offset[c]; in order 2 the luma of these, one row. One
// invocation per four columns.
struct Parameters { columns: u32, stride: u32, order: u32, unused: u32, factor: vec4f, offset: vec4f }
@group(0) @binding(0) var<storage, read> bytes: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quad = id.y * groups.x * 64u + id.x;
  let quads = p.stride / 4u;
  if (quad >= quads) {
    return;
  }
  // Four pixels are twelve bytes: three words. Words behind the last picture are clamped to the last element of the
  // buffer by robust access; they land in the padding of the row.
  let a = unpack4xU8(bytes[quad * 3u]);
  let b = unpack4xU8(bytes[quad * 3u + 1u]);
  let c = unpack4xU8(bytes[quad * 3u + 2u]);
  let first = vec4f(vec4u(a.x, a.w, b.z, c.y));
  let second = vec4f(vec4u(a.y, b.x, b.w, c.z));
  let third = vec4f(vec4u(a.z, b.y, c.x, c.w));
  if (p.order == 2u) {
    let luma = vec3f(0.299, 0.587, 0.114);
    let factor = luma * p.factor.xyz;
    y[quad] = V1(first * factor.x + second * factor.y + third * factor.z + dot(luma, p.offset.xyz));
    return;
  }
  let reversed = p.order == 1u;
  y[quad] = V1(select(first, third, reversed) * p.factor.x + p.offset.x);
  y[quads + quad] = V1(second * p.factor.y + p.offset.y);
  y[2u * quads + quad] = V1(select(third, first, reversed) * p.factor.z + p.offset.z);
}
