// One invocation per input pixel: the gradients of all windows that cover it, each over the size of the window.
@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(1) var<storage, read_write> dx: array<T1>;

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
  let ys = windowsOver(line - image * p.height, p.height, p.pixelHeight);
  let xs = windowsOver(column - line * p.width, p.width, p.pixelWidth);
  let plane = row * p.outputStride + image * p.pixelHeight * p.pixelWidth;
  var sum = 0.0;
  for (var outY = ys.x; outY < ys.y; outY++) {
    let rows = pixelsOf(outY, p.height, p.pixelHeight);
    for (var outX = xs.x; outX < xs.y; outX++) {
      let columns = pixelsOf(outX, p.width, p.pixelWidth);
      sum += f32(dy[plane + outY * p.pixelWidth + outX]) / f32((rows.y - rows.x) * (columns.y - columns.x));
    }
  }
  dx[row * p.inputStride + column] = T1(sum);
}
