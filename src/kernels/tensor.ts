import { EngineError } from './errors.js';

/** `f16` is a storage type of activations and of copies of weights; kernels compute in float32 whatever they store. */
export type DType = 'f32' | 'f16' | 'u32' | 'u8';
export type Shape = readonly number[];

/**
 * How a tensor's elements lie in its buffer.
 *
 * - `rows`: feature maps `[N, C, H, W]` and vectors `[N, C]`. Channel major: C rows of N*H*W elements (n, then y, then x),
 *   each row padded to a multiple of four elements, so that rows can be read as `vec4f` at any size, a 1x1 convolution
 *   over the whole batch is one matrix product, and per-channel statistics are sums over rows. The padding elements of a row
 *   hold unspecified values: elementwise kernels may compute on them, reductions must mask them.
 * - `dense`: the logical shape in row-major order without padding (parameters, labels, scalars, statistics). The buffer's size
 *   is rounded up to 16 bytes; what lies behind the last element is unspecified.
 */
export type LayoutKind = 'rows' | 'dense';

/** A value of a plan. Handles are made by `PlanBuilder` only. */
export interface Tensor {
  readonly id: number;
  readonly label: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly layout: LayoutKind;
  /** True for trainable parameters and for everything computed from one. */
  requiresGradient: boolean;
}

/** The rows of a tensor in `rows` layout: `rows` = C, `columns` = N*H*W, `stride` = columns rounded up to 4. */
export interface RowLayout {
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
}

export const alignTo = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** Physical rows of `[N, C]` or `[N, C, H, W]`. Throws `INVALID_SHAPE` for other ranks. */
export function rowLayout(shape: Shape): RowLayout {
  const [n, c, h = 1, w = 1] = shape;
  if (n === undefined || c === undefined || (shape.length !== 2 && shape.length !== 4)) {
    throw new EngineError('INVALID_SHAPE', `A row tensor is [N, C] or [N, C, H, W]; got [${shape.join(', ')}].`);
  }
  const columns = n * h * w;
  return { rows: c, columns, stride: alignTo(columns, 4) };
}

export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = { f32: 4, f16: 2, u32: 4, u8: 1 };

/** Groups of four elements in a tensor's buffer, padding included: what an elementwise kernel walks over. */
export function quadCount({ shape, layout }: { readonly shape: Shape; readonly layout: LayoutKind }): number {
  if (layout === 'dense') return Math.ceil(elementCount(shape) / 4);
  const { rows, stride } = rowLayout(shape);
  return (rows * stride) / 4;
}

/** Bytes of the buffer that holds a tensor: a multiple of 16. */
export function byteLength(shape: Shape, dtype: DType, layout: LayoutKind): number {
  const bytesPerElement = BYTES_PER_ELEMENT[dtype];
  if (layout === 'dense') return Math.max(16, alignTo(elementCount(shape) * bytesPerElement, 16));
  const { rows, stride } = rowLayout(shape);
  return Math.max(16, alignTo(rows * stride * bytesPerElement, 16));
}

export function checkShape(shape: Shape, what: string): void {
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new EngineError('INVALID_SHAPE', `${what}: sizes must be positive integers; got [${shape.join(', ')}].`);
    }
  }
}

/** Logical row-major values (`[N, C, H, W]`) -> physical rows (`[C][N H W + padding]`). */
export function packRows(values: Float32Array, shape: Shape): Float32Array<ArrayBuffer>;
export function packRows(values: Uint16Array, shape: Shape): Uint16Array<ArrayBuffer>;
export function packRows(values: Float32Array | Uint16Array, shape: Shape): Float32Array | Uint16Array {
  const { rows, stride } = rowLayout(shape);
  const n = shape[0] as number;
  const pixels = elementCount(shape.slice(2));
  const packed = values instanceof Uint16Array ? new Uint16Array(rows * stride) : new Float32Array(rows * stride);
  for (let image = 0; image < n; image++) {
    for (let row = 0; row < rows; row++) {
      copyRun(values, (image * rows + row) * pixels, packed, row * stride + image * pixels, pixels);
    }
  }
  return packed;
}

/** Below this many elements a loop is faster than `set`, which needs a view: 15 times for single elements. */
const SHORT_RUN = 32;

function copyRun(
  from: Float32Array | Uint16Array,
  start: number,
  to: Float32Array | Uint16Array,
  at: number,
  count: number,
): void {
  if (count >= SHORT_RUN) to.set(from.subarray(start, start + count), at);
  else for (let i = 0; i < count; i++) to[at + i] = from[start + i] as number;
}

/** Physical rows -> logical row-major values; the inverse of `packRows`. */
export function unpackRows(packed: Float32Array, shape: Shape): Float32Array<ArrayBuffer> {
  const { rows, stride } = rowLayout(shape);
  const n = shape[0] as number;
  const pixels = elementCount(shape.slice(2));
  const values = new Float32Array(n * rows * pixels);
  for (let image = 0; image < n; image++) {
    for (let row = 0; row < rows; row++) {
      copyRun(packed, row * stride + image * pixels, values, (image * rows + row) * pixels, pixels);
    }
  }
  return values;
}
