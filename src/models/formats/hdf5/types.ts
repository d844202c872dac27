import { STORED_BYTES, type StoredType, toFloat32 } from '../numbers.js';
import { HDF5_LIMITS, type Hdf5Bytes } from './file.js';

/** A type of elements, as far as files of weights have it (specification, IV.A.2.d). */
export type Datatype =
  | { readonly kind: 'number'; readonly stored: StoredType; readonly size: number; readonly isBigEndian: boolean }
  | { readonly kind: 'string'; readonly size: number }
  | { readonly kind: 'variableString'; readonly size: number }
  | { readonly kind: 'other'; readonly size: number };

const INTEGERS: Readonly<Record<string, StoredType>> = {
  '1s': 'i8',
  '1u': 'u8',
  '2s': 'i16',
  '2u': 'u16',
  '4s': 'i32',
  '4u': 'u32',
  '8s': 'i64',
  '8u': 'u64',
};

export function readDatatype(file: Hdf5Bytes, at: number): Datatype {
  const class_ = file.u8(at) & 0xf;
  const bits = file.u8(at + 1);
  const size = file.u32(at + 4);
  if (class_ === 3) return { kind: 'string', size };
  if (class_ === 9 && (bits & 0xf) === 1) return { kind: 'variableString', size };
  const stored =
    class_ === 0 ? INTEGERS[`${size}${bits & 8 ? 's' : 'u'}`] : class_ === 1 ? float(file, at, size) : undefined;
  return stored ? { kind: 'number', stored, size, isBigEndian: (bits & 1) === 1 } : { kind: 'other', size };
}

/** IEEE 754's formats and bfloat16, told by the sizes of exponent and mantissa. */
function float(file: Hdf5Bytes, at: number, size: number): StoredType | undefined {
  const [exponent, mantissa] = [file.u8(at + 13), file.u8(at + 15)];
  const fields = `${size}:${exponent}:${mantissa}`;
  return ({ '2:5:10': 'f16', '2:8:7': 'bf16', '4:8:23': 'f32', '8:11:52': 'f64' } as const)[fields];
}

/** The sizes of a dataspace; [] is a single value. Throws INVALID_FILE. */
export function readDataspace(file: Hdf5Bytes, at: number): number[] {
  const version = file.u8(at);
  if (version !== 1 && version !== 2) file.fail(`version ${version} of a dataspace is unknown.`);
  const rank = file.u8(at + 1);
  if (rank > HDF5_LIMITS.rank) file.fail(`a data set of ${rank} dimensions is not possible.`);
  if (version === 2 && file.u8(at + 3) === 2) return [0];
  const start = at + (version === 1 ? 8 : 4);
  const shape = Array.from({ length: rank }, (_, index) => file.lengthAt(start + index * file.lengthSize));
  elements(file, shape);
  return shape;
}

/** Number of elements of a shape. Throws INVALID_FILE where it is absurd. */
export function elements(file: Hdf5Bytes, shape: readonly number[]): number {
  let product = 1;
  for (const size of shape) {
    product *= size;
    if (!(product <= 2 ** 31)) file.fail(`a data set of the shape [${shape.join(', ')}] is not possible.`);
  }
  return product;
}

/** Numbers as float32. */
export function toNumbers(bytes: Uint8Array, type: Datatype & { kind: 'number' }): Float32Array {
  return toFloat32(type.isBigEndian ? swapped(bytes, STORED_BYTES[type.stored]) : bytes, type.stored);
}

function swapped(bytes: Uint8Array, size: number): Uint8Array {
  const copy = new Uint8Array(bytes.length);
  for (let index = 0; index < bytes.length; index++)
    copy[index] = bytes[index - (index % size) + size - 1 - (index % size)] as number;
  return copy;
}

/** Text of `count` elements at `at`. */
export function readStrings(file: Hdf5Bytes, at: number, count: number, type: Datatype): string[] {
  if (count * type.size > HDF5_LIMITS.attribute) file.fail(`an attribute of ${count} texts is too long.`);
  file.check(at, count * type.size);
  file.countText(count * type.size);
  return Array.from({ length: count }, (_, index) => {
    const item = at + index * type.size;
    if (type.kind === 'string') return file.text(item, type.size);
    return heapText(file, item);
  });
}

/** A text of variable length lies in a global heap (specification, III.E): length, address of the collection, index in it. */
function heapText(file: Hdf5Bytes, at: number): string {
  const length = file.u32(at);
  const collection = file.address(at + 4);
  if (length === 0 || collection === null || collection === 0) return '';
  const wanted = file.u32(at + 4 + file.addressSize);
  if (!file.isAt(collection, 'GCOL')) file.fail(`there is no global heap at ${collection}.`);
  const header = 8 + file.lengthSize;
  const end = collection + file.lengthAt(collection + 8);
  file.check(collection, end - collection);
  for (let object = collection + header; object + header <= end; ) {
    file.countNode();
    const index = file.u16(object);
    const size = file.lengthAt(object + 8);
    if (index === wanted) {
      file.countText(Math.min(length, size));
      return file.text(object + header, Math.min(length, size));
    }
    if (index === 0) break;
    object += header + Math.ceil(size / 8) * 8;
  }
  return file.fail(`a global heap has no object ${wanted}.`);
}
