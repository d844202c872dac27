import { fromHalf } from '../../kernels/half.js';
import { ModelError } from '../errors.js';
import { type Float8Type, float8ToNumber } from './float8.js';

/** IEEE 754 binary16 -> number. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** How the values of an array lie in a file, little-endian. */
export type StoredType =
  | 'f16'
  | 'bf16'
  | 'f32'
  | 'f64'
  | 'i8'
  | 'u8'
  | 'i16'
  | 'u16'
  | 'i32'
  | 'u32'
  | 'i64'
  | 'u64'
  | 'bool'
  | Float8Type;

export const STORED_BYTES: Readonly<Record<StoredType, number>> = {
  f8e4m3fn: 1,
  f8e4m3fnuz: 1,
  f8e5m2: 1,
  f8e5m2fnuz: 1,
  f8e8m0fnu: 1,
  bool: 1,
  i8: 1,
  u8: 1,
  i16: 2,
  u16: 2,
  f16: 2,
  bf16: 2,
  i32: 4,
  u32: 4,
  f32: 4,
  i64: 8,
  u64: 8,
  f64: 8,
};

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

function bfloatToNumber(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratch[0] as number;
}

function float8Reader(type: Float8Type): (view: DataView, offset: number) => number {
  const table = Float32Array.from({ length: 256 }, (_, bits) => float8ToNumber(bits, type));
  return (view, offset) => table[view.getUint8(offset)] as number;
}

const READERS: Readonly<Record<StoredType, (view: DataView, offset: number) => number>> = {
  f8e4m3fn: float8Reader('f8e4m3fn'),
  f8e4m3fnuz: float8Reader('f8e4m3fnuz'),
  f8e5m2: float8Reader('f8e5m2'),
  f8e5m2fnuz: float8Reader('f8e5m2fnuz'),
  f8e8m0fnu: float8Reader('f8e8m0fnu'),
  bool: (view, offset) => (view.getUint8(offset) ? 1 : 0),
  i8: (view, offset) => view.getInt8(offset),
  u8: (view, offset) => view.getUint8(offset),
  i16: (view, offset) => view.getInt16(offset, true),
  u16: (view, offset) => view.getUint16(offset, true),
  f16: (view, offset) => halfToNumber(view.getUint16(offset, true)),
  bf16: (view, offset) => bfloatToNumber(view.getUint16(offset, true)),
  i32: (view, offset) => view.getInt32(offset, true),
  u32: (view, offset) => view.getUint32(offset, true),
  f32: (view, offset) => view.getFloat32(offset, true),
  i64: (view, offset) => Number(view.getBigInt64(offset, true)),
  u64: (view, offset) => Number(view.getBigUint64(offset, true)),
  f64: (view, offset) => view.getFloat64(offset, true),
};

/** Where the machine is little-endian itself (all that run WebGPU are), float32 needs no decoding. */
export const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Decodes little-endian values to float32; `bytes` must hold a whole number of them. */
export function toFloat32(bytes: Uint8Array, type: StoredType): Float32Array {
  if (type === 'f32' && IS_LITTLE_ENDIAN) return new Float32Array(new Uint8Array(bytes).buffer);
  if (type === 'f16' && IS_LITTLE_ENDIAN) return fromHalf(new Uint16Array(new Uint8Array(bytes).buffer));
  const values = new Float32Array(bytes.byteLength / STORED_BYTES[type]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[type];
  const step = STORED_BYTES[type];
  for (let index = 0; index < values.length; index++) values[index] = read(view, index * step);
  return values;
}

/** The types of which float32 holds each value. */
const EXACT: ReadonlySet<StoredType> = new Set<StoredType>([
  ...(['f32', 'f16', 'bf16', 'bool', 'i8', 'u8', 'i16', 'u16'] as const),
  ...(['f8e4m3fn', 'f8e4m3fnuz', 'f8e5m2', 'f8e5m2fnuz', 'f8e8m0fnu'] as const),
]);

/** Whether `values`, decoded by `toFloat32`, are the numbers of the file, not their nearest float32. */
export function isExact(bytes: Uint8Array, type: StoredType, values: Float32Array): boolean {
  if (EXACT.has(type)) return true;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const step = STORED_BYTES[type];
  if (type === 'i64' || type === 'u64') {
    const read = (offset: number) =>
      type === 'i64' ? view.getBigInt64(offset, true) : view.getBigUint64(offset, true);
    return values.every((value, index) => BigInt(value) === read(index * step));
  }
  const read = READERS[type];
  return values.every((value, index) => Object.is(value, read(view, index * step)));
}

/** Number of elements of a shape read from a file. Throws INVALID_FILE for sizes that are not integers or are absurd. */
export function checkedElements(shape: readonly unknown[], what: string): number {
  let elements = 1;
  for (const size of shape) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || elements * size > 2 ** 31) {
      throw new ModelError('INVALID_FILE', `${what}: its shape ${JSON.stringify(shape).slice(0, 80)} is not possible.`);
    }
    elements *= size;
  }
  return elements;
}
