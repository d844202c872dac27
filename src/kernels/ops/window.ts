/** Output length of a convolution along one axis: floor((n + p - d (k - 1) - 1) / s) + 1 (Dumoulin and Visin 2016). */
export function convolvedLength(
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): number {
  return Math.floor((size + padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/**
 * As `convolvedLength`; in ceil mode a last window counts if it starts inside the picture or the leading padding (the rule of
 * PyTorch and of ONNX).
 */
export function pooledLength(
  size: number,
  kernel: number,
  stride: number,
  before: number,
  after: number,
  ceilMode: boolean,
  dilation = 1,
): number {
  const span = size + before + after - (dilation * (kernel - 1) + 1);
  if (!ceilMode) return Math.floor(span / stride) + 1;
  const length = Math.ceil(span / stride) + 1;
  return (length - 1) * stride >= size + before ? length - 1 : length;
}

/** Zero padding of the two spatial dimensions, in pixels. */
export interface WindowPadding {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Vertical, then horizontal. */
export type Pair = readonly [vertical: number, horizontal: number];

/** Whether each of `count` windows along one axis has a tap inside the picture. */
export function everyWindowSeesPixels(
  count: number,
  size: number,
  kernel: number,
  stride: number,
  before: number,
  dilation: number,
): boolean {
  return Array.from({ length: count }, (_, window) => window * stride - before).every((start) => {
    const first = Math.max(0, Math.ceil(-start / dilation));
    return first < kernel && start + first * dilation < size;
  });
}

/**
 * The padding that makes ceil(size / stride) outputs of a convolution or a pooling. Where it is odd, the greater half goes
 * behind (TensorFlow's SAME, ONNX's SAME_UPPER) or, with `lower`, before (ONNX's SAME_LOWER).
 */
export function samePadding(
  [height, width]: Pair,
  kernel: Pair,
  stride: Pair,
  dilation: Pair = [1, 1],
  lower = false,
): WindowPadding {
  const along = (size: number, axis: 0 | 1): [before: number, after: number] => {
    const span = (Math.ceil(size / stride[axis]) - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1;
    const total = Math.max(0, span - size);
    const small = Math.floor(total / 2);
    return lower ? [total - small, small] : [small, total - small];
  };
  const [top, bottom] = along(height, 0);
  const [left, right] = along(width, 1);
  return { top, left, bottom, right };
}
