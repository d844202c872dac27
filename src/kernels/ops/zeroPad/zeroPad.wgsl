// Windows between a small map and a large one that holds it at (top, left). forward = 1: small -> large with zeros around;
// forward = 0: the window of large -> small.
struct Parameters {
  channels: u32, batch: u32, height: u32, width: u32, largeHeight: u32, largeWidth: u32,
  stride: u32, largeStride: u32, top: u32, left: u32, forward: u32,
}
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  let height = select(p.height, p.largeHeight, p.forward == 1u);
  let width = select(p.width, p.largeWidth, p.forward == 1u);
  let pixels = height * width;
  if (i >= p.channels * p.batch * pixels) {
    return;
  }
  let column = i % width;
  let row = (i / width) % height;
  let image = (i / pixels) % p.batch;
  let channel = i / (pixels * p.batch);
  let smallRow = select(row, row - p.top, p.forward == 1u);
  let smallColumn = select(column, column - p.left, p.forward == 1u);
  let small = channel * p.stride + (image * p.height + min(smallRow, p.height - 1u)) * p.width + min(smallColumn, p.width - 1u);
  if (p.forward == 1u) {
    // Below the first row or column the unsigned difference wraps to a large number.
    let inside = smallRow < p.height && smallColumn < p.width;
    y[channel * p.largeStride + (image * p.largeHeight + row) * p.largeWidth + column] = T1(select(0.0, f32(x[small]), inside));
  } else {
    y[small] = T1(f32(x[channel * p.largeStride + (image * p.largeHeight + row + p.top) * p.largeWidth + column + p.left]));
  }
}
