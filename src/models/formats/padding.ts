import type { Padding } from '../network.js';

/**
 * The padding that makes ceil(size / stride) outputs. Where it is odd, the greater half goes behind (TensorFlow's SAME,
 * ONNX's SAME_UPPER) or, with `lower`, before (SAME_LOWER).
 */
export function samePadding(
  [height, width]: readonly [number, number],
  kernel: readonly [number, number],
  stride: readonly [number, number],
  dilation: readonly [number, number],
  lower = false,
): Padding {
  const along = (size: number, axis: 0 | 1): [number, number] => {
    const span = (Math.ceil(size / stride[axis]) - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1;
    const total = Math.max(0, span - size);
    const small = Math.floor(total / 2);
    return lower ? [total - small, small] : [small, total - small];
  };
  const [top, bottom] = along(height, 0);
  const [left, right] = along(width, 1);
  return { top, left, bottom, right };
}
