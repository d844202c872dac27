// Places as whole numbers: negative ones count from the end; what is outside (or no number) becomes `size`, past the end.
struct Parameters { count: u32, size: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let value = f32(x[i]);
  let size = f32(p.size);
  let place = select(value, value + size, value < 0.0);
  let isInside = place >= 0.0 && place < size;
  y[i] = select(p.size, u32(clamp(place, 0.0, size)), isInside);
}
