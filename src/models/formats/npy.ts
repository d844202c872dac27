import { elementCount } from '../../kernels/tensor.js';
import { toHalf } from '../../kernels/half.js';
import { ModelError } from '../errors.js';
import type { ValueType } from '../layers/input.js';
import { checkedElements, halfToNumber } from './numbers.js';
import { openZip } from './zip/archive.js';

/** An array of a .npy file in row-major order. Of 64-bit integers beyond 2^53 the nearest number that float64 has. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** As in the file, without its byte order: `f4`, `i8`, `b1` ... `V1` and `V2` are types that NumPy itself has not. */
  readonly type: string;
  readonly data: Float64Array;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Far above the header of any plain array. */
const MAX_HEADER = 1 << 16;
const MAX_RANK = 32;

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `NumPy array: ${message}`);
}

type Reader = (view: DataView, at: number, little: boolean) => number;

const READERS: Readonly<Record<string, Reader>> = {
  b1: (view, at) => (view.getUint8(at) ? 1 : 0),
  i1: (view, at) => view.getInt8(at),
  u1: (view, at) => view.getUint8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  u2: (view, at, little) => view.getUint16(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  f2: (view, at, little) => halfToNumber(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
  // bfloat16 and types of eight bits and less come without a name: their codes.
  V1: (view, at) => view.getUint8(at),
  V2: (view, at, little) => view.getUint16(at, little),
};

export const looksLikeNpy = (bytes: Uint8Array): boolean => MAGIC.every((byte, index) => bytes[index] === byte);

interface Header {
  readonly descr: string;
  readonly isFortran: boolean;
  readonly shape: number[];
}

/** The header is a Python dictionary of three entries, in any order. */
function parseHeader(text: string): Header {
  const entry = (key: string, value: string) => new RegExp(`['"]${key}['"]\\s*:\\s*${value}`).exec(text);
  const isPlain = /^\s*\{[^{}]*\}\s*$/.test(text);
  const descr = entry('descr', `['"]([^'"]*)['"]`)?.[1];
  const order = entry('fortran_order', '(True|False)')?.[1];
  const sizes = entry('shape', '\\(([\\d,\\sL]*)\\)')?.[1];
  if (!isPlain || descr === undefined || order === undefined || sizes === undefined) {
    return fail(
      `its header ${JSON.stringify(text.slice(0, 100))} is none of a plain array (structured types are not supported).`,
    );
  }
  const list = sizes.split(',').map((size) => size.trim().replace(/L$/, ''));
  if (list.at(-1) === '') list.pop();
  const shape = list.map((size) =>
    /^\d{1,15}$/.test(size) ? Number(size) : fail(`its shape (${sizes.slice(0, 100)}) is not possible.`),
  );
  if (shape.length > MAX_RANK) fail(`it has ${shape.length} dimensions; at most ${MAX_RANK} are read.`);
  return { descr, isFortran: order === 'True', shape };
}

/** Reads a .npy file, versions 1 to 3 of the format, of any byte and element order. Throws INVALID_FILE. */
export function readNpy(bytes: Uint8Array): NpyArray {
  if (!looksLikeNpy(bytes)) fail('this is no .npy file.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) fail(`version ${version} of the format; known are 1 to 3.`);
  const prefix = version === 1 ? 10 : 12;
  if (bytes.length < prefix) fail('it ends within its header.');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER || prefix + length > bytes.length) fail(`a header of ${length} bytes.`);
  const { descr, isFortran, shape } = parseHeader(new TextDecoder().decode(bytes.subarray(prefix, prefix + length)));
  const [order = '', type] = /^[<>=|]/.test(descr) ? [descr[0], descr.slice(1)] : ['=', descr];
  const read = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (!read)
    return fail(
      `elements of type ${JSON.stringify(descr.slice(0, 20))}; known are booleans, integers and floats of 2 to 8 bytes.`,
    );
  const size = Number(type.slice(1));
  const elements = checkedElements(shape, 'NumPy array');
  const start = prefix + length;
  if (bytes.length - start !== elements * size) {
    fail(`[${shape.join(', ')}] of ${descr} takes ${elements * size} bytes; the file holds ${bytes.length - start}.`);
  }
  const data = new Float64Array(elements);
  const little = order !== '>';
  for (let i = 0; i < elements; i++) data[i] = read(view, start + i * size, little);
  return { shape, type, data: isFortran ? rowMajor(data, shape) : data };
}

/** Elements that lie with the first axis fastest, in row-major order. */
function rowMajor(data: Float64Array, shape: readonly number[]): Float64Array {
  const strides = shape.map((_, axis) => elementCount(shape.slice(0, axis)));
  return Float64Array.from(data, (_, index) => {
    let [rest, at] = [index, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % (shape[axis] as number)) * (strides[axis] as number);
      rest = Math.floor(rest / (shape[axis] as number));
    }
    return data[at] as number;
  });
}

/** The arrays of a .npz archive by name, without the `.npy`. Throws INVALID_FILE. */
export function readNpz(file: Uint8Array): Map<string, NpyArray> {
  const archive = openZip(file);
  const names = archive.entries.map(({ name }) => name).filter((name) => name.endsWith('.npy'));
  return new Map(names.map((name) => [name.slice(0, -4), readNpy(archive.read(name))]));
}

export const npyFloats = ({ data }: NpyArray): Float32Array => Float32Array.from(data);

/** How each type is written; NumPy has no floats of less than 16 bits, no bfloat16 and no integers of less than 8. */
const WRITTEN: Readonly<Record<ValueType, string>> = {
  float64: '<f8',
  float32: '<f4',
  float16: '<f2',
  bfloat16: '<f4',
  float8e4m3fn: '<f4',
  float8e4m3fnuz: '<f4',
  float8e5m2: '<f4',
  float8e5m2fnuz: '<f4',
  float8e8m0: '<f4',
  float4e2m1: '<f4',
  bool: '|b1',
  int2: '|i1',
  int4: '|i1',
  int8: '|i1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
  uint2: '|u1',
  uint4: '|u1',
  uint8: '|u1',
  uint16: '<u2',
  uint32: '<u4',
  uint64: '<u8',
};

function encode(data: ArrayLike<number>, type: string): ArrayBufferView {
  const bigs = (list: BigInt64Array | BigUint64Array) => {
    for (let i = 0; i < data.length; i++) list[i] = BigInt(data[i] as number);
    return list;
  };
  switch (type) {
    case 'f8':
      return Float64Array.from(data);
    case 'f2':
      return toHalf(data);
    case 'b1':
      return Uint8Array.from(data, (value) => (value === 0 ? 0 : 1));
    case 'i1':
      return Int8Array.from(data);
    case 'u1':
      return Uint8Array.from(data);
    case 'i2':
      return Int16Array.from(data);
    case 'u2':
      return Uint16Array.from(data);
    case 'i4':
      return Int32Array.from(data);
    case 'u4':
      return Uint32Array.from(data);
    case 'i8':
      return bigs(new BigInt64Array(data.length));
    case 'u8':
      return bigs(new BigUint64Array(data.length));
    default:
      return Float32Array.from(data);
  }
}

/** A .npy file (version 1, little-endian, row-major). Types that NumPy lacks are written as float32, int8 or uint8. */
export function writeNpy(shape: readonly number[], data: ArrayLike<number>, type: ValueType): Uint8Array {
  const descr = WRITTEN[type];
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // The values begin at a multiple of 64.
  const header = text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11, ' ');
  const values = encode(data, descr.slice(1));
  const file = new Uint8Array(10 + header.length + 1 + values.byteLength);
  file.set([...MAGIC, 1, 0, (header.length + 1) & 0xff, (header.length + 1) >> 8]);
  file.set(new TextEncoder().encode(`${header}\n`), 10);
  file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 11 + header.length);
  return file;
}
