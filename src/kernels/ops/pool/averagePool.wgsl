// One invocation per output pixel: the sum of its window over the number of its pixels; `countPadding` counts the padded frame's
// too (but not what lies past it, which ceil mode reaches).
struct Parameters {
  count: u32, columns: u32, outputStride: u32, inputStride: u32, height: i32, width: i32, kernelHeight: i32, kernelWidth: i32,
  pixelHeight: i32, pixelWidth: i32, strideY: i32, strideX: i32, top: i32, left: i32, bottom: i32, right: i32, countPadding: u32,
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
  let row = i / p.columns;
  let column = i32(i - row * p.columns);
  let line = column / p.pixelWidth;
  let image = line / p.pixelHeight;
  let startY = (line - image * p.pixelHeight) * p.strideY - p.top;
  let startX = (column - line * p.pixelWidth) * p.strideX - p.left;
  let endY = min(startY + p.kernelHeight, p.height);
  let endX = min(startX + p.kernelWidth, p.width);
  let plane = row * p.inputStride + u32(image * p.height * p.width);
  var sum = 0.0;
  for (var inY = max(startY, 0); inY < endY; inY++) {
    for (var inX = max(startX, 0); inX < endX; inX++) {
      sum += f32(x[plane + u32(inY * p.width + inX)]);
    }
  }
  let inside = (endY - max(startY, 0)) * (endX - max(startX, 0));
  let framed = (min(startY + p.kernelHeight, p.height + p.bottom) - startY) *
    (min(startX + p.kernelWidth, p.width + p.right) - startX);
  y[row * p.outputStride + u32(column)] = T1(sum / f32(select(inside, framed, p.countPadding != 0u)));
}
