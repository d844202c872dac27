// Adaptive pooling: window o of an axis covers the pixels floor(o size / windows) .. ceil((o + 1) size / windows) - 1.
// `p` is put behind it as a constant.
struct Parameters {
  count: u32, columns: u32, outputStride: u32, inputStride: u32,
  height: u32, width: u32, pixelHeight: u32, pixelWidth: u32,
}

// First pixel of window o, and one past its last.
fn pixelsOf(o: u32, size: u32, windows: u32) -> vec2u {
  return vec2u(o * size / windows, ((o + 1u) * size + windows - 1u) / windows);
}

// First window that covers the pixel, and one past the last: the same with the roles exchanged.
fn windowsOver(pixel: u32, size: u32, windows: u32) -> vec2u {
  return pixelsOf(pixel, windows, size);
}
