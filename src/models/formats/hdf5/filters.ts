import { ModelError } from '../../errors.js';
import { inflate } from '../zip/inflate.js';
import type { Hdf5Bytes } from './file.js';

const DEFLATE = 1;
const SHUFFLE = 2;
const NAMES: Readonly<Record<number, string>> = { 3: 'fletcher32', 4: 'szip', 5: 'nbit', 6: 'scaleoffset' };
/** zlib's header and checksum around deflated bytes (RFC 1950). */
const ZLIB = { header: 2, checksum: 4 } as const;
const MAX_FILTERS = 32;

/** What the chunks of a data set went through, in order (specification, IV.A.2.l). Throws UNSUPPORTED for other than gzip and shuffle. */
export function readFilters(file: Hdf5Bytes, at: number): number[] {
  const version = file.u8(at);
  if (version !== 1 && version !== 2) file.fail(`version ${version} of a filter pipeline is unknown.`);
  const count = file.u8(at + 1);
  if (count > MAX_FILTERS) file.fail(`a data set went through ${count} filters.`);
  let next = at + (version === 1 ? 8 : 2);
  return Array.from({ length: count }, () => {
    const filter = file.u16(next);
    if (filter !== DEFLATE && filter !== SHUFFLE) {
      const name = NAMES[filter] ?? `filter ${filter}`;
      throw new ModelError(
        'UNSUPPORTED',
        `HDF5: a data set is stored with ${name}; save it with gzip or without filters.`,
      );
    }
    const hasName = version === 1 || filter >= 256;
    const nameLength = hasName ? file.u16(next + 2) : 0;
    const values = file.u16(next + (hasName ? 6 : 4));
    const padding = version === 1 && values % 2 === 1 ? 4 : 0;
    next += (hasName ? 8 : 6) + (version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength) + values * 4 + padding;
    return filter;
  });
}

/** A chunk as it was before the filters; bit i of `skipped` leaves filter i out. Throws INVALID_FILE. */
export function unfiltered(
  file: Hdf5Bytes,
  stored: Uint8Array,
  filters: readonly number[],
  skipped: number,
  length: number,
  elementSize: number,
): Uint8Array {
  const bytes = filters.reduceRight((result, filter, place) => {
    if ((skipped >> place) & 1) return result;
    if (filter === SHUFFLE) return unshuffled(result, elementSize);
    return inflate(result.subarray(ZLIB.header, Math.max(ZLIB.header, result.length - ZLIB.checksum)), length);
  }, stored);
  if (bytes.length !== length) file.fail(`a chunk has ${bytes.length} bytes; its shape needs ${length}.`);
  return bytes;
}

/** Shuffled bytes lie by their place in their element: all first ones, all second ones ... */
function unshuffled(bytes: Uint8Array, elementSize: number): Uint8Array {
  const count = Math.floor(bytes.length / elementSize);
  const result = new Uint8Array(bytes.length);
  for (let element = 0; element < count; element++) {
    for (let byte = 0; byte < elementSize; byte++)
      result[element * elementSize + byte] = bytes[byte * count + element] as number;
  }
  result.set(bytes.subarray(count * elementSize), count * elementSize);
  return result;
}
