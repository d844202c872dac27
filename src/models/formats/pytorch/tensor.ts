import type { WeightTensor } from '../../network.js';
import { checkedElements, isExact, STORED_BYTES, type StoredType, toFloat32 } from '../numbers.js';
import { fail } from './errors.js';
import type { TorchStorage, TorchTensor } from './values.js';

/** A tensor of a state dict, its values in float32. */
export interface StateTensor extends WeightTensor {
  /** What the values are in the file. */
  readonly dtype: StoredType;
  /** False where float32 cannot hold the file's values (float64, large integers); they are rounded to nearest. */
  readonly exact: boolean;
}

/** The storages of a file: their bytes by key, all of one byte order. */
export interface StorageSource {
  /** Throws INVALID_FILE where there is none. */
  bytes(key: string): Uint8Array;
  readonly isBigEndian: boolean;
}

/** Copies the numbers that a view shows, row-major, each `size` bytes. `bytes` covers the whole view. */
function gather(bytes: Uint8Array, { offset, shape, stride }: TorchTensor, size: number, elements: number): Uint8Array {
  const result = new Uint8Array(elements * size);
  const last = shape.length - 1;
  const [columns, step] = last < 0 ? [1, 1] : [shape[last] as number, stride[last] as number];
  const index = Array.from({ length: Math.max(last, 0) }, () => 0);
  let row = offset;
  for (let to = 0; to < elements; ) {
    for (let column = 0; column < columns; column++, to++) {
      const from = (row + column * step) * size;
      for (let byte = 0; byte < size; byte++) result[to * size + byte] = bytes[from + byte] as number;
    }
    for (let axis = last - 1; axis >= 0; axis--) {
      row += stride[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      row -= (index[axis] as number) * (stride[axis] as number);
      index[axis] = 0;
    }
  }
  return result;
}

function isContiguous({ shape, stride }: TorchTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== expected) return false;
    expected *= shape[axis] as number;
  }
  return true;
}

function swapBytes(bytes: Uint8Array, size: number): Uint8Array {
  const result = bytes.slice();
  for (let at = 0; at < result.length; at += size) result.subarray(at, at + size).reverse();
  return result;
}

/** Bytes that the tensors of a file may take in memory for each of its own; a byte of an integer becomes four. */
const MAX_EXPANSION = 8;
const FREE_BYTES = 2 ** 24;

/** Makes the tensors of one file. What they take together is bounded by the file's size. */
export class TensorReader {
  private readonly seen = new Map<string, StateTensor>();
  private budget: number;

  constructor(
    private readonly source: StorageSource,
    fileBytes: number,
  ) {
    this.budget = FREE_BYTES + MAX_EXPANSION * fileBytes;
  }

  /** The values of a tensor; the same view of the same storage gives the same object. Throws INVALID_FILE. */
  read(name: string, tensor: TorchTensor): StateTensor {
    const { storage, dtype, offset, shape, stride } = tensor;
    const id = [storage.key, dtype, offset, shape.join(), stride.join()].join('/');
    const known = this.seen.get(id);
    if (known) return known;
    const size = STORED_BYTES[dtype as StoredType];
    const elements = this.checkedElements(name, tensor);
    const bytes = this.storageBytes(name, storage, size);
    const end = offset + shape.reduce((sum, count, axis) => sum + (count - 1) * (stride[axis] as number), 1);
    if (elements > 0 && !(end * size <= bytes.length)) {
      fail(`${name} reaches to number ${end} of a storage that has ${Math.floor(bytes.length / size)}.`);
    }
    this.budget -= elements * 4;
    if (this.budget < 0) fail('its tensors take many times the memory that the file does, which no checkpoint needs.');
    const from = offset * size;
    const own =
      elements === 0
        ? new Uint8Array()
        : isContiguous(tensor)
          ? bytes.subarray(from, from + elements * size)
          : gather(bytes, tensor, size, elements);
    const little = this.source.isBigEndian && size > 1 ? swapBytes(own, size) : own;
    const data = toFloat32(little, dtype as StoredType);
    const exact = isExact(little, dtype as StoredType, data);
    const result: StateTensor = { shape: [...shape], data, dtype: dtype as StoredType, exact };
    this.seen.set(id, result);
    return result;
  }

  private checkedElements(name: string, { shape, stride }: TorchTensor): number {
    if (shape.length !== stride.length) fail(`${name} has ${shape.length} sizes but ${stride.length} strides.`);
    return checkedElements(shape, `PyTorch: ${name}`);
  }

  private storageBytes(name: string, storage: TorchStorage, size: number): Uint8Array {
    const bytes = this.source.bytes(storage.key);
    const expected = storage.elements * (storage.dtype === 'untyped' ? 1 : size);
    if (bytes.length < expected) {
      fail(`the storage of ${name} should have ${expected} bytes; the file has ${bytes.length}.`);
    }
    return bytes.subarray(0, expected);
  }
}
