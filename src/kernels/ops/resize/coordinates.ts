import { EngineError } from '../../errors.js';

/**
 * Where output pixel o of an axis lies in the input (ONNX's Resize), with scale s = output size / input size:
 *
 * - `half_pixel`: (o + 1/2) / s - 1/2; TensorFlow with half_pixel_centers, PyTorch with align_corners=False for images.
 * - `pytorch_half_pixel`: the same, but 0 where the output has one pixel.
 * - `align_corners`: o (n - 1) / (m - 1), so that the outermost pixels fall on each other; 0 where the output has one.
 * - `asymmetric`: o / s.
 * - `tf_half_pixel_for_nn`: (o + 1/2) / s, with rounding `floor`: TensorFlow's nearest neighbour with half_pixel_centers.
 */
export type ResizeCoordinates =
  | 'half_pixel'
  | 'pytorch_half_pixel'
  | 'align_corners'
  | 'asymmetric'
  | 'tf_half_pixel_for_nn';

/** Place (o * step + start) / divisor. */
interface Places {
  readonly step: number;
  readonly start: number;
  readonly divisor: number;
}

/** Twice a place has to fit into 31 bits. */
const LARGEST = 2 ** 29;

/** The uniforms of one axis; `scale` where it is not the quotient of the sizes. Throws `LIMIT_EXCEEDED` for huge ratios. */
export function axisOf(size: number, resized: number, scale: number | null, coordinates: ResizeCoordinates): number[] {
  const { step, start, divisor } = placesOf(size, resized, scale, coordinates);
  const largest = Math.max((resized + 1) * step + Math.abs(start), (size + 1) * divisor + Math.abs(start));
  if (largest > LARGEST) {
    throw new EngineError(
      'LIMIT_EXCEEDED',
      `resize from ${size} to ${resized} pixels${scale === null ? '' : ` by ${scale}`}: too large, or no simple ratio.`,
    );
  }
  return [size, resized, step, start, divisor];
}

function placesOf(size: number, resized: number, scale: number | null, coordinates: ResizeCoordinates): Places {
  const [p, q] = scale === null ? reduced(resized, size) : ratioOf(scale);
  const isSingle = resized === 1;
  if (coordinates === 'align_corners') {
    return isSingle ? { step: 0, start: 0, divisor: 1 } : { step: size - 1, start: 0, divisor: resized - 1 };
  }
  if (coordinates === 'asymmetric') return { step: q, start: 0, divisor: p };
  if (coordinates === 'tf_half_pixel_for_nn') return { step: 2 * q, start: q, divisor: 2 * p };
  if (coordinates === 'pytorch_half_pixel' && isSingle) return { step: 0, start: 0, divisor: 1 };
  return { step: 2 * q, start: q - p, divisor: 2 * p };
}

function reduced(p: number, q: number): [number, number] {
  let [a, c] = [p, q];
  while (c !== 0) [a, c] = [c, a % c];
  return [p / a, q / a];
}

/** The simplest fraction p / q that float32 cannot tell from `scale`: convergents of its continued fraction. */
function ratioOf(scale: number): [number, number] {
  let [p0, q0, p1, q1] = [0, 1, 1, 0];
  let rest = scale;
  for (;;) {
    const whole = Math.floor(rest);
    [p0, q0, p1, q1] = [p1, q1, whole * p1 + p0, whole * q1 + q0];
    if (Math.abs(p1 / q1 - scale) <= scale * 2 ** -24 || rest === whole) return [p1, q1];
    rest = 1 / (rest - whole);
  }
}
