/** How one axis is resized: from `size` to `resized` elements, places being told with `scale`. */
export interface AxisResize {
  readonly size: number;
  readonly resized: number;
  readonly scale: number;
  /** Whether the scale is the quotient of the sizes. */
  readonly isQuotient: boolean;
  /** Of tf_crop_and_resize: first and last place, as parts of the axis. */
  readonly crop: readonly [start: number, end: number];
}

export interface Interpolation {
  readonly mode: string;
  readonly coordinates: string;
  readonly rounding: string;
  readonly cubic: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
}

/** Where element `o` of the result lies in the input (ONNX's Resize, coordinate_transformation_mode); null for unknown modes. */
export function placeOf(axis: AxisResize, coordinates: string, o: number): number | null {
  const { size, resized, scale, isQuotient, crop } = axis;
  const per = (count: number) => (isQuotient ? (count * size) / resized : count / scale);
  switch (coordinates) {
    case 'half_pixel':
      return per(o + 0.5) - 0.5;
    case 'pytorch_half_pixel':
      return resized > 1 ? per(o + 0.5) - 0.5 : 0;
    case 'half_pixel_symmetric': {
      const offset = (size / 2) * (1 - resized / (scale * size));
      return offset + per(o + 0.5) - 0.5;
    }
    case 'align_corners': {
      // With scales, the length of the result counts before it is rounded down.
      const length = isQuotient ? resized : scale * size;
      return length > 1 ? (o * (size - 1)) / (length - 1) : 0;
    }
    case 'asymmetric':
      return per(o);
    case 'tf_half_pixel_for_nn':
      return per(o + 0.5);
    case 'tf_crop_and_resize': {
      const [start, end] = crop;
      if (resized === 1) return 0.5 * (start + end) * (size - 1);
      return start * (size - 1) + (o * (end - start) * (size - 1)) / (resized - 1);
    }
    default:
      return null;
  }
}

export function nearest(place: number, rounding: string): number {
  switch (rounding) {
    case 'floor':
      return Math.floor(place);
    case 'ceil':
      return Math.ceil(place);
    case 'round_prefer_ceil':
      return Math.floor(place + 0.5);
    default:
      return Math.ceil(place - 0.5);
  }
}

/** Weight of a pixel at distance `x`: a triangle, or Keys's cubic convolution (1981) with the parameter a. */
function kernel(mode: string, a: number, x: number): number {
  const d = Math.abs(x);
  if (mode === 'linear') return Math.max(0, 1 - d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/**
 * The matrix [resized, size] by which one axis is interpolated. Pixels outside count as the outermost one, or not at all where
 * `excludeOutside`. With `antialias`, the kernel is as wide as the pixels of the result where these are larger.
 */
export function interpolationMatrix(axis: AxisResize, how: Interpolation): Float32Array {
  const { size, resized, scale } = axis;
  const matrix = new Float32Array(resized * size);
  const widening = how.antialias ? Math.max(1, 1 / scale) : 1;
  const radius = (how.mode === 'linear' ? 1 : 2) * widening;
  for (let o = 0; o < resized; o++) {
    const place = placeOf(axis, how.coordinates, o) as number;
    const isOutside = how.coordinates === 'tf_crop_and_resize' && (place < 0 || place > size - 1);
    if (isOutside) continue;
    const taps: { at: number; weight: number }[] = [];
    for (let at = Math.ceil(place - radius); at <= Math.floor(place + radius); at++) {
      if (how.excludeOutside && (at < 0 || at >= size)) continue;
      taps.push({ at, weight: kernel(how.mode, how.cubic, (at - place) / widening) });
    }
    const total = taps.reduce((sum, { weight }) => sum + weight, 0);
    for (const { at, weight } of taps) {
      const index = o * size + Math.min(size - 1, Math.max(0, at));
      matrix[index] = (matrix[index] as number) + weight / total;
    }
  }
  return matrix;
}
