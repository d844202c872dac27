// One invocation per output pixel: the mean of its window.
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;

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
  var sum = 0.0;
  for (var inY = ys.x; inY < ys.y; inY++) {
    for (var inX = xs.x; inX < xs.y; inX++) {
      sum += f32(x[plane + inY * p.width + inX]);
    }
  }
  y[row * p.outputStride + column] = T1(sum / f32((ys.y - ys.x) * (xs.y - xs.x)));
}
