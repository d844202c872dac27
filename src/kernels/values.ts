import { fromHalf, toHalf } from './half.js';
import {
  byteLength,
  type DType,
  elementCount,
  type LayoutKind,
  packRows,
  type Shape,
  unpackRows,
  alignTo,
} from './tensor.js';

interface Stored {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly layout: LayoutKind;
}

/** float32 values in logical order -> what the tensor's buffer holds. */
export function encodeValues(
  values: Float32Array,
  tensor: Stored,
): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  const laidOut = tensor.layout === 'rows' ? packRows(values, tensor.shape) : (values as Float32Array<ArrayBuffer>);
  if (tensor.dtype !== 'f16') return laidOut;
  return wholeWords(toHalf(laidOut));
}

/** float16 bits in logical order -> what a float16 tensor's buffer holds. */
export function encodeHalf(values: Uint16Array, tensor: Stored): Uint16Array<ArrayBuffer> {
  if (tensor.layout === 'rows') return packRows(values, tensor.shape);
  return wholeWords(values as Uint16Array<ArrayBuffer>);
}

/** WebGPU writes whole words only. */
function wholeWords(values: Uint16Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  if (values.length % 2 === 0) return values;
  const padded = new Uint16Array(alignTo(values.length, 2));
  padded.set(values);
  return padded;
}

/** What a float tensor's buffer holds, from byte `offset` of `raw` -> float32 values in logical order. */
export function decodeValues(raw: ArrayBuffer, offset: number, tensor: Stored): Float32Array<ArrayBuffer> {
  const bytes = byteLength(tensor.shape, tensor.dtype, tensor.layout);
  const values =
    tensor.dtype === 'f16'
      ? fromHalf(new Uint16Array(raw, offset, bytes / 2))
      : new Float32Array(raw, offset, bytes / 4);
  return tensor.layout === 'rows' ? unpackRows(values, tensor.shape) : values.slice(0, elementCount(tensor.shape));
}
