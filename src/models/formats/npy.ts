import { ModelError } from '../errors.js';
import { checkedElements, STORED_BYTES, type StoredType, toFloat32 } from './numbers.js';
import { openZip } from './zip/archive.js';

/** NumPy's array files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): versions 1 to 3. */
export interface NpyArray {
  readonly shape: readonly number[];
  readonly type: StoredType;
  /** Little-endian, row-major. */
  readonly bytes: Uint8Array;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Headers are some hundred bytes; only structured types, which are not read, make them long. */
const MAX_HEADER_BYTES = 65_536;

const TYPES: Readonly<Record<string, StoredType>> = {
  b1: 'bool',
  i1: 'i8',
  u1: 'u8',
  i2: 'i16',
  u2: 'u16',
  i4: 'i32',
  u4: 'u32',
  i8: 'i64',
  u8: 'u64',
  f2: 'f16',
  f4: 'f32',
  f8: 'f64',
};

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `npy: ${message}`);
}

export const looksLikeNpy = (bytes: Uint8Array): boolean => MAGIC.every((byte, index) => bytes[index] === byte);

interface Header {
  readonly type: StoredType;
  readonly isBigEndian: boolean;
  readonly isFortran: boolean;
  readonly shape: number[];
  readonly dataStart: number;
}

function readHeader(bytes: Uint8Array): Header {
  const version = bytes[6] ?? 0;
  const prefix = version === 1 ? 10 : 12;
  if (!looksLikeNpy(bytes) || version < 1 || version > 3 || bytes.length < prefix) fail('this is no .npy file.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES || prefix + length > bytes.length) fail(`the header says it has ${length} bytes.`);
  const text = new TextDecoder().decode(bytes.subarray(prefix, prefix + length));
  const descr = /'descr':\s*'([<>|=])([a-z]\d+)'/.exec(text);
  const order = /'fortran_order':\s*(True|False)/.exec(text);
  const shape = /'shape':\s*\(([\d\s,]*)\)/.exec(text);
  const type = TYPES[descr?.[2] ?? ''];
  if (!type || !order || !shape)
    fail(`the header ${JSON.stringify(text.trim().slice(0, 120))} is none of a plain array.`);
  const sizes = (shape[1] as string).split(',').filter((part) => part.trim() !== '');
  return {
    type,
    isBigEndian: descr?.[1] === '>',
    isFortran: order[1] === 'True',
    shape: sizes.map(Number),
    dataStart: prefix + length,
  };
}

/** Element `index` of the result, in row-major order, lies at the returned place in column-major order. */
function* fortranPlaces(shape: readonly number[], elements: number): Generator<number> {
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  const index = shape.map(() => 0);
  for (let count = 0; count < elements; count++) {
    yield index.reduce((sum, at, axis) => sum + at * (strides[axis] as number), 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      index[axis] = 0;
    }
  }
}

/** Reads one array. Numbers, whatever their order in the file, come out little-endian and row-major. Throws INVALID_FILE. */
export function readNpy(file: Uint8Array): NpyArray {
  const { type, isBigEndian, isFortran, shape, dataStart } = readHeader(file);
  const elements = checkedElements(shape, 'npy');
  const step = STORED_BYTES[type];
  const data = file.subarray(dataStart);
  if (data.length !== elements * step)
    fail(`[${shape.join(', ')}] of ${step} bytes each are not ${data.length} bytes.`);
  if (!isBigEndian && !(isFortran && shape.length > 1)) return { shape, type, bytes: data };
  const bytes = new Uint8Array(data.length);
  let to = 0;
  for (const place of isFortran ? fortranPlaces(shape, elements) : Array(elements).keys()) {
    for (let byte = 0; byte < step; byte++) {
      bytes[to + byte] = data[place * step + (isBigEndian ? step - 1 - byte : byte)] as number;
    }
    to += step;
  }
  return { shape, type, bytes };
}

/** The arrays of a .npz archive by name, without the `.npy`. Throws INVALID_FILE. */
export function readNpz(file: Uint8Array): Map<string, NpyArray> {
  const archive = openZip(file);
  const names = archive.entries.map(({ name }) => name).filter((name) => name.endsWith('.npy'));
  return new Map(names.map((name) => [name.slice(0, -4), readNpy(archive.read(name))]));
}

export const npyFloats = ({ bytes, type }: NpyArray): Float32Array => toFloat32(bytes, type);
