// sum = a + b, elementwise over whole buffers.
struct Sizes { quads: u32 }
@group(0) @binding(0) var<storage, read> a: array<V0>;
@group(0) @binding(1) var<storage, read> b: array<V1>;
@group(0) @binding(2) var<storage, read_write> sum: array<V2>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < sizes.quads) {
    sum[i] = V2(vec4f(a[i]) + vec4f(b[i]));
  }
}
