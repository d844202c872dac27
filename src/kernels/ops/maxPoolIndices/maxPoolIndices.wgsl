// Place of the first largest pixel of each window.
struct Parameters {
  count: u32, by_columns: u32,
  height: i32, width: i32, pixel_height: i32, pixel_width: i32, kernel_height: i32, kernel_width: i32,
  stride_y: i32, stride_x: i32, dilation_y: i32, dilation_x: i32, top: i32, left: i32,
}
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let line = i32(i) / p.pixel_width;
  let plane = line / p.pixel_height;
  let first_y = (line - plane * p.pixel_height) * p.stride_y - p.top;
  let first_x = (i32(i) - line * p.pixel_width) * p.stride_x - p.left;
  let start = plane * p.height * p.width;
  var best = -1;
  var top = 0.0;
  for (var ky = 0; ky < p.kernel_height; ky++) {
    let at_y = first_y + ky * p.dilation_y;
    for (var kx = 0; kx < p.kernel_width; kx++) {
      let at_x = first_x + kx * p.dilation_x;
      if (at_y < 0 || at_y >= p.height || at_x < 0 || at_x >= p.width) {
        continue;
      }
      let value = f32(x[start + at_y * p.width + at_x]);
      if (best < 0 || value > top) {
        top = value;
        best = start + select(at_y * p.width + at_x, at_x * p.height + at_y, p.by_columns == 1u);
      }
    }
  }
  y[i] = T1(f32(best));
}
