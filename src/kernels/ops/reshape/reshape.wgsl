// The same logical order of elements in another shape. Rows hold [C][N][P], P pixels, with C rows `stride` apart, and logical
// order is [N][C][P]. Index i runs over the target's elements as they lie.
struct Parameters { count: u32, from_rows: u32, from_pixels: u32, from_stride: u32, to_rows: u32, to_pixels: u32, to_stride: u32, to_columns: u32 }
@group(0) @binding(0) var<storage, read> source_: array<T0>;
@group(0) @binding(1) var<storage, read_write> target_: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let row = i / p.to_columns;
  let column = i - row * p.to_columns;
  let image = column / p.to_pixels;
  let logical = (image * p.to_rows + row) * p.to_pixels + (column - image * p.to_pixels);
  let plane = logical / p.from_pixels;
  let pixel = logical - plane * p.from_pixels;
  let from_image = plane / p.from_rows;
  let from_row = plane - from_image * p.from_rows;
  target_[row * p.to_stride + column] = T1(source_[from_row * p.from_stride + from_image * p.from_pixels + pixel]);
}
