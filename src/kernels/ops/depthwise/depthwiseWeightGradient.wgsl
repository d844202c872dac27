// One workgroup per (output channel, tap): the sum over all pixels of dy times the input pixel under the tap. An invocation takes
// whole lines of pixels; then a tree in fixed order.
struct Parameters {
  lines: u32, outputStride: u32, inputStride: u32, mergeRows: u32,
  height: i32, width: i32, kernelHeight: i32, kernelWidth: i32, pixelHeight: i32, pixelWidth: i32,
  stepY: i32, stepX: i32, tapY: i32, tapX: i32, startY: i32, startX: i32, divisorY: i32, divisorX: i32,
}
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> dy: array<T1>;
@group(0) @binding(2) var<storage, read_write> dWeight: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;
var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tap = i32(group.x);
  let row = group.y;
  let offsetY = (tap / p.kernelWidth) * p.tapY + p.startY;
  let offsetX = (tap % p.kernelWidth) * p.tapX + p.startX;
  var sum = 0.0;
  for (var line = lane; line < p.lines; line += 64u) {
    let image = i32(line) / p.pixelHeight;
    let inY = (i32(line) - image * p.pixelHeight) * p.stepY + offsetY;
    if (inY < 0 || inY >= p.height) {
      continue;
    }
    let source = i32((row / p.mergeRows) * p.inputStride) + (image * p.height + inY) * p.width + offsetX;
    let to = row * p.outputStride + line * u32(p.pixelWidth);
    for (var pixel = 0; pixel < p.pixelWidth; pixel++) {
      let inX = pixel * p.stepX + offsetX;
      if (inX >= 0 && inX < p.width) {
        sum += f32(dy[to + u32(pixel)]) * f32(x[source + pixel * p.stepX]);
      }
    }
  }
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    dWeight[row * u32(p.kernelHeight * p.kernelWidth) + group.x] = T2(sums[0]);
  }
}
