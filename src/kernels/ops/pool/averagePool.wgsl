// One invocation per output pixel: the sum of its window over the number of its pixels.
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;

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
  let firstX = startX + firstTap(startX, p.dilationX) * p.dilationX;
  let endY = min(startY + p.kernelHeight * p.dilationY, p.height);
  let endX = min(startX + p.kernelWidth * p.dilationX, p.width);
  let plane = row * p.inputStride + u32(image * p.height * p.width);
  var sum = 0.0;
  for (var inY = startY + firstTap(startY, p.dilationY) * p.dilationY; inY < endY; inY += p.dilationY) {
    for (var inX = firstX; inX < endX; inX += p.dilationX) {
      sum += f32(x[plane + u32(inY * p.width + inX)]);
    }
  }
  y[row * p.outputStride + u32(column)] = T1(sum / divisor(startY, startX));
}
