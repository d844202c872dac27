// One invocation per block of 2 lines by 4 columns of the input: the gradients of those windows that cover the block, each brought
// in once, go to the pixels that they chose. Rows are channels; `count` and `columns` count blocks.
@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(1) var<storage, read> chosen: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<T2>;

const LINES = (p.height + 1) / 2;
const QUADS = (p.width + 3) / 4;

fn store(line: vec4f, start: u32, inX: i32) {
  for (var i = 0; i < 4; i++) {
    if (inX + i < p.width) {
      dx[start + u32(i)] = T2(line[i]);
    }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let row = i / p.columns;
  let column = i32(i - row * p.columns);
  let line = column / QUADS;
  let image = line / LINES;
  let inY = (line - image * LINES) * 2;
  let inX = (column - line * QUADS) * 4;
  let firstY = windowsOver(inY, p.top, p.kernelHeight, p.dilationY, p.strideY, p.pixelHeight).x;
  let firstX = windowsOver(inX, p.left, p.kernelWidth, p.dilationX, p.strideX, p.pixelWidth).x;
  let lastY = windowsOver(inY + 1, p.top, p.kernelHeight, p.dilationY, p.strideY, p.pixelHeight).y;
  let lastX = windowsOver(inX + 3, p.left, p.kernelWidth, p.dilationX, p.strideX, p.pixelWidth).y;
  let plane = row * p.outputStride + u32(image * p.pixelHeight * p.pixelWidth);
  let pixel = u32(inY * p.width + inX);
  let upperPixels = pixel + vec4u(0u, 1u, 2u, 3u);
  let lowerPixels = upperPixels + u32(p.width);
  var upper = vec4f();
  var lower = vec4f();
  for (var outY = firstY; outY <= lastY; outY++) {
    for (var outX = firstX; outX <= lastX; outX++) {
      let source = plane + u32(outY * p.pixelWidth + outX);
      // In blocks that stick out, places behind a line's end are those of the next line's pixels; these sums are not stored.
      let at = vec4u(chosen[source]);
      let gradient = vec4f(f32(dy[source]));
      upper += select(vec4f(), gradient, at == upperPixels);
      lower += select(vec4f(), gradient, at == lowerPixels);
    }
  }
  let start = row * p.inputStride + u32(image * p.height * p.width) + pixel;
  store(upper, start, inX);
  if (inY + 1 < p.height) {
    store(lower, start + u32(p.width), inX);
  }
}
