// One invocation per input pixel: the gradients of those windows that cover it and chose it.
struct Parameters {
  count: u32, columns: u32, outputStride: u32, inputStride: u32, height: i32, width: i32, kernelHeight: i32, kernelWidth: i32,
  pixelHeight: i32, pixelWidth: i32, strideY: i32, strideX: i32, top: i32, left: i32, bottom: i32, right: i32,
}
@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(1) var<storage, read> chosen: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;

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
  let pixel = u32(inY * p.width + inX);
  // Window o covers the pixel where o stride - padding <= pixel < o stride - padding + kernel.
  let firstY = max(inY + p.top - p.kernelHeight + p.strideY, 0) / p.strideY;
  let firstX = max(inX + p.left - p.kernelWidth + p.strideX, 0) / p.strideX;
  let lastY = min((inY + p.top) / p.strideY, p.pixelHeight - 1);
  let lastX = min((inX + p.left) / p.strideX, p.pixelWidth - 1);
  let plane = row * p.outputStride + u32(image * p.pixelHeight * p.pixelWidth);
  var sum = 0.0;
  for (var outY = firstY; outY <= lastY; outY++) {
    for (var outX = firstX; outX <= lastX; outX++) {
      let source = plane + u32(outY * p.pixelWidth + outX);
      if (chosen[source] == pixel) {
        sum += f32(dy[source]);
      }
    }
  }
  dx[row * p.inputStride + u32(column)] = T2(sum);
}
