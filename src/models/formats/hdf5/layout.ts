import { elementCount } from '../../../kernels/tensor.js';
import { ModelError } from '../../errors.js';
import type { Hdf5Bytes } from './file.js';
import { readFilters, unfiltered } from './filters.js';
import type { Message } from './objectHeader.js';

/** Of deflate: 258 bytes for two bits. */
const MAX_RATIO = 1032;

const unsupported = (message: string): ModelError => new ModelError('UNSUPPORTED', `HDF5: ${message}`);

/** The bytes of a data set by its layout message (specification, IV.A.2.i). Throws INVALID_FILE or UNSUPPORTED. */
export function readData(
  file: Hdf5Bytes,
  { at }: Message,
  filters: Message | undefined,
  shape: readonly number[],
  elementSize: number,
): Uint8Array {
  const version = file.u8(at);
  if (version !== 3 && version !== 4) throw unsupported(`data sets in layout ${version} are not read.`);
  const kind = file.u8(at + 1);
  if (kind === 0) {
    const length = file.u16(at + 2);
    file.countData(length);
    return file.slice(at + 4, length);
  }
  if (kind === 1) {
    const address = file.address(at + 2);
    const length = file.lengthAt(at + 2 + file.addressSize);
    // A data set that was never written has no address and is zero throughout.
    if (address === null) return new Uint8Array(boundedLength(file, shape, elementSize));
    file.countData(length);
    return file.slice(address, length);
  }
  if (kind !== 2 || version !== 3) throw unsupported('a data set is stored in a way that is not read (layout 4).');
  return readChunks(file, at, filters, shape, elementSize);
}

/**
 * Length of a data set that takes less in the file than in memory: compressed, or never written and zero. Bounded by what deflate can
 * do at most.
 */
function boundedLength(file: Hdf5Bytes, shape: readonly number[], elementSize: number): number {
  const length = shape.reduce((product, size) => product * size, elementSize);
  if (length > file.length * MAX_RATIO) file.fail('a data set is far larger than the file.');
  return length;
}

/** Chunks in a B-tree (specification, III.A.1, node type 1), each as it is or changed by filters. */
function readChunks(
  file: Hdf5Bytes,
  at: number,
  filters: Message | undefined,
  shape: readonly number[],
  elementSize: number,
): Uint8Array {
  const pipeline = filters ? readFilters(file, filters.at) : [];
  const rank = file.u8(at + 2) - 1;
  if (rank !== shape.length || rank < 1) file.fail(`chunks of ${rank} dimensions cannot make ${shape.length}.`);
  const dimensions = at + 3 + file.addressSize;
  const chunk = shape.map((_, axis) => file.u32(dimensions + axis * 4));
  const chunkBytes = chunk.reduce((product, size) => product * size, elementSize);
  if (!(chunkBytes > 0)) file.fail('a chunk has no elements.');
  const total = boundedLength(file, shape, elementSize);
  const result = new Uint8Array(total);
  const nodes = [file.address(at + 3)];
  const seen = new Set<number>();
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    if (node === null) continue;
    file.countNode();
    if (seen.has(node)) file.fail('the tree of a data set has a loop.');
    seen.add(node);
    if (!file.isAt(node, 'TREE') || file.u8(node + 4) !== 1) file.fail(`there is no node of chunks at ${node}.`);
    const level = file.u8(node + 5);
    const count = file.u16(node + 6);
    const keySize = 8 + 8 * (rank + 1);
    for (let index = 0; index < count; index++) {
      file.countMessage();
      const key = node + 8 + 2 * file.addressSize + index * (keySize + file.addressSize);
      const child = file.address(key + keySize);
      if (level > 0) {
        nodes.push(child);
        continue;
      }
      if (child === null) continue;
      const stored = file.u32(key);
      file.countData(stored);
      const origin = shape.map((_, axis) => file.unsigned(key + 8 + axis * 8, 8));
      const whole = unfiltered(file, file.slice(child, stored), pipeline, file.u32(key + 4), chunkBytes, elementSize);
      place(whole, result, origin, chunk, shape, elementSize);
    }
  }
  return result;
}

/** Copies the part of a chunk that lies within the data set, line by line. */
function place(
  source: Uint8Array,
  target: Uint8Array,
  origin: readonly number[],
  chunk: readonly number[],
  shape: readonly number[],
  elementSize: number,
): void {
  const rank = shape.length;
  const copied = shape.map((size, axis) => Math.min(chunk[axis] as number, size - (origin[axis] as number)));
  if (copied.some((size) => !(size > 0))) return;
  const lines = elementCount(copied.slice(0, -1));
  const lineBytes = (copied[rank - 1] as number) * elementSize;
  for (let line = 0; line < lines; line++) {
    let [rest, from, to, fromStride, toStride] = [line, 0, origin[rank - 1] as number, 1, 1];
    for (let axis = rank - 2; axis >= 0; axis--) {
      fromStride *= chunk[axis + 1] as number;
      toStride *= shape[axis + 1] as number;
      const position = rest % (copied[axis] as number);
      rest = Math.floor(rest / (copied[axis] as number));
      from += position * fromStride;
      to += ((origin[axis] as number) + position) * toStride;
    }
    target.set(source.subarray(from * elementSize, from * elementSize + lineBytes), to * elementSize);
  }
}
