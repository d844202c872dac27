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

/** As `convolvedLength`; in ceil mode a last window counts if it starts inside the picture or the leading padding (PyTorch's rule). */
export function pooledLength(
  size: number,
  kernel: number,
  stride: number,
  before: number,
  after: number,
  ceilMode: boolean,
): number {
  const span = size + before + after - kernel;
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
