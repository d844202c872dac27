// One invocation per output pixel: the largest pixel of its window, the first in reading order among equals, and where in its
// plane that lies.
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<storage, read_write> chosen: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let row = i / p.columns;
  let column = i - row * p.columns;
  let line = column / p.pixelWidth;
  let image = line / p.pixelHeight;
  let ys = pixelsOf(line - image * p.pixelHeight, p.height, p.pixelHeight);
  let xs = pixelsOf(column - line * p.pixelWidth, p.width, p.pixelWidth);
  let plane = row * p.inputStride + image * p.height * p.width;
  var at = ys.x * p.width + xs.x;
  var largest = f32(x[plane + at]);
  for (var inY = ys.x; inY < ys.y; inY++) {
    for (var inX = xs.x; inX < xs.y; inX++) {
      let pixel = inY * p.width + inX;
      let value = f32(x[plane + pixel]);
      if (value > largest) {
        largest = value;
        at = pixel;
      }
    }
  }
  let to = row * p.outputStride + column;
  y[to] = T1(largest);
  chosen[to] = at;
}
