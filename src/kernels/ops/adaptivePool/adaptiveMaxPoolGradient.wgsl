// One invocation per input pixel: the gradients of those windows that cover it and chose it.
@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(1) var<storage, read> chosen: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<T2>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let row = i / p.columns;
  let column = i - row * p.columns;
  let line = column / p.width;
  let image = line / p.height;
  let inY = line - image * p.height;
  let inX = column - line * p.width;
  let ys = windowsOver(inY, p.height, p.pixelHeight);
  let xs = windowsOver(inX, p.width, p.pixelWidth);
  let plane = row * p.outputStride + image * p.pixelHeight * p.pixelWidth;
  var sum = 0.0;
  for (var outY = ys.x; outY < ys.y; outY++) {
    for (var outX = xs.x; outX < xs.y; outX++) {
      let source = plane + outY * p.pixelWidth + outX;
      if (chosen[source] == inY * p.width + inX) {
        sum += f32(dy[source]);
      }
    }
  }
  dx[row * p.inputStride + column] = T2(sum);
}
