// Windows along the two axes, common to all pooling kernels. A window's taps are `dilation` apart. `p` is put before it as a
// constant.
struct Parameters {
  count: u32, columns: u32, outputStride: u32, inputStride: u32, height: i32, width: i32, kernelHeight: i32, kernelWidth: i32,
  pixelHeight: i32, pixelWidth: i32, strideY: i32, strideX: i32, top: i32, left: i32, bottom: i32, right: i32,
  dilationY: i32, dilationX: i32, countPadding: u32,
}

// First tap that is not before the picture, for a window that begins at `start`.
fn firstTap(start: i32, dilation: i32) -> i32 {
  return (max(-start, 0) + dilation - 1) / dilation;
}

// One past the last tap before `end`.
fn endTap(start: i32, dilation: i32, kernel: i32, end: i32) -> i32 {
  return min(kernel, (end - start + dilation - 1) / dilation);
}

// Pixels that the mean of the window at (startY, startX) is over: those in the picture or, with `countPadding`, in the padded
// frame, but not past it, where ceil mode reaches.
fn divisor(startY: i32, startX: i32) -> f32 {
  if (p.countPadding != 0u) {
    return f32(endTap(startY, p.dilationY, p.kernelHeight, p.height + p.bottom) *
      endTap(startX, p.dilationX, p.kernelWidth, p.width + p.right));
  }
  let rows = endTap(startY, p.dilationY, p.kernelHeight, p.height) - firstTap(startY, p.dilationY);
  let columns = endTap(startX, p.dilationX, p.kernelWidth, p.width) - firstTap(startX, p.dilationX);
  return f32(rows * columns);
}

// The windows o whose span o stride - padding .. + (kernel - 1) dilation covers the pixel: first and last.
fn windowsOver(pixel: i32, padding: i32, kernel: i32, dilation: i32, stride: i32, windows: i32) -> vec2i {
  let span = (kernel - 1) * dilation + 1;
  return vec2i(max(pixel + padding - span + stride, 0) / stride, min((pixel + padding) / stride, windows - 1));
}
