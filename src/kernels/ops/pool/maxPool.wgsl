// One invocation per output pixel: the largest input pixel of its window, the first in reading order among equals, and where in
// its plane that lies. Padding is never the largest.
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
  let column = i32(i - row * p.columns);
  let line = column / p.pixelWidth;
  let image = line / p.pixelHeight;
  let startY = (line - image * p.pixelHeight) * p.strideY - p.top;
  let startX = (column - line * p.pixelWidth) * p.strideX - p.left;
  let firstY = startY + firstTap(startY, p.dilationY) * p.dilationY;
  let firstX = startX + firstTap(startX, p.dilationX) * p.dilationX;
  let endY = min(startY + p.kernelHeight * p.dilationY, p.height);
  let endX = min(startX + p.kernelWidth * p.dilationX, p.width);
  let plane = row * p.inputStride + u32(image * p.height * p.width);
  var at = u32(firstY * p.width + firstX);
  var largest = f32(x[plane + at]);
  for (var inY = firstY; inY < endY; inY += p.dilationY) {
    for (var inX = firstX; inX < endX; inX += p.dilationX) {
      let pixel = u32(inY * p.width + inX);
      let value = f32(x[plane + pixel]);
      if (value > largest) {
        largest = value;
        at = pixel;
      }
    }
  }
  let to = row * p.outputStride + u32(column);
  y[to] = T1(largest);
  chosen[to] = at;
}
