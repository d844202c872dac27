// Convolution with one input channel per group, gathered: one invocation per element of the result. The result's row r reads the
// rows (r / mergeRows) * spread .. + spread - 1 of x, with the weights of as many output channels of the forward pass:
// `activate` is put behind this source. Forward: spread 1, mergeRows = outputs per group; gradient of the input: spread = outputs per group, mergeRows 1.
struct Parameters {
  count: u32, columns: u32, resultStride: u32, inputStride: u32, spread: u32, mergeRows: u32, flags: u32, lower: f32, upper: f32,
  height: i32, width: i32, kernelHeight: i32, kernelWidth: i32, pixelHeight: i32, pixelWidth: i32,
  stepY: i32, stepX: i32, tapY: i32, tapX: i32, startY: i32, startX: i32, divisorY: i32, divisorX: i32,
}
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> weight: array<T1>;
@group(0) @binding(2) var<storage, read> bias: array<T2>;
@group(0) @binding(3) var<storage, read> residual: array<T3>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;
@group(0) @binding(5) var<uniform> p: Parameters;

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
  let startY = (line - image * p.pixelHeight) * p.stepY + p.startY;
  let startX = (column - line * p.pixelWidth) * p.stepX + p.startX;
  let taps = u32(p.kernelHeight * p.kernelWidth);
  let firstInput = (row / p.mergeRows) * p.spread;
  // Forward, each output channel has weights of its own; backward, each of the rows that are read has.
  let firstWeight = select(row, firstInput, p.mergeRows == 1u);
  var sum = 0.0;
  for (var part = 0u; part < p.spread; part++) {
    let plane = (firstInput + part) * p.inputStride + u32(image * p.height * p.width);
    for (var ky = 0; ky < p.kernelHeight; ky++) {
      let scaledY = startY + ky * p.tapY;
      let inY = scaledY / p.divisorY;
      if (scaledY < 0 || inY * p.divisorY != scaledY || inY >= p.height) {
        continue;
      }
      for (var kx = 0; kx < p.kernelWidth; kx++) {
        let scaledX = startX + kx * p.tapX;
        let inX = scaledX / p.divisorX;
        if (scaledX < 0 || inX * p.divisorX != scaledX || inX >= p.width) {
          continue;
        }
        sum += f32(weight[(firstWeight + part) * taps + u32(ky * p.kernelWidth + kx)]) * f32(x[plane + u32(inY * p.width + inX)]);
      }
    }
  }
  if ((p.flags & 1u) != 0u) {
    sum += f32(bias[row]);
  }
  if ((p.flags & 2u) != 0u) {
    sum += f32(residual[row * p.resultStride + u32(column)]);
  }
  if ((p.flags & 4u) != 0u) {
    sum = activate(vec4f(sum)).x;
  }
  y[row * p.resultStride + u32(column)] = T4(sum);
}
