// One invocation per input pixel: the gradients of all windows with a tap on it, each over the number of pixels that it averaged.
@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(1) var<storage, read_write> dx: array<T1>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let row = i / p.columns;
  let column = i32(i - row * p.columns);
  let line = column / p.width;
  let image = line / p.height;
  let inY = line - image * p.height;
  let inX = column - line * p.width;
  let ys = windowsOver(inY, p.top, p.kernelHeight, p.dilationY, p.strideY, p.pixelHeight);
  let xs = windowsOver(inX, p.left, p.kernelWidth, p.dilationX, p.strideX, p.pixelWidth);
  let plane = row * p.outputStride + u32(image * p.pixelHeight * p.pixelWidth);
  var sum = 0.0;
  for (var outY = ys.x; outY <= ys.y; outY++) {
    let startY = outY * p.strideY - p.top;
    if ((inY - startY) % p.dilationY != 0) {
      continue;
    }
    for (var outX = xs.x; outX <= xs.y; outX++) {
      let startX = outX * p.strideX - p.left;
      if ((inX - startX) % p.dilationX == 0) {
        sum += f32(dy[plane + u32(outY * p.pixelWidth + outX)]) / divisor(startY, startX);
      }
    }
  }
  dx[row * p.inputStride + u32(column)] = T1(sum);
}
