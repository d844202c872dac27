import { ModelError } from '../../errors.js';
import { crc32 } from './crc32.js';
import { CENTRAL_HEADER } from './directory.js';

export interface ZipFile {
  readonly name: string;
  readonly data: Uint8Array;
}

const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
/** Version 2.0, the first with folders; names in UTF-8 (general purpose flag 11). */
const VERSION = 20;
const UTF8_NAMES = 0x0800;
/** 1 January 1980, the earliest date that the format has: the same files make the same archive. */
const DATE = 0x0021;
/** The kind of the extra field that fills the space in front of aligned data; PyTorch's archives have the same ("FB"). */
const FILLER = 0x4246;
const FILLER_BYTE = 0x5a;
const MAX_32 = 0xffff_ffff;
const MAX_16 = 0xffff;

interface Placed {
  readonly name: Uint8Array;
  readonly data: Uint8Array;
  readonly crc: number;
  readonly offset: number;
  /** Bytes of the extra field. */
  readonly extra: number;
}

/** The bytes of an extra field that put the data, now at `position`, onto a multiple of `alignment`. */
function extraBytes(position: number, alignment: number): number {
  const missing = (alignment - (position % alignment)) % alignment;
  return missing === 0 || missing >= 4 ? missing : missing + alignment;
}

function place(files: readonly ZipFile[], alignment: number): { placed: Placed[]; end: number } {
  const placed: Placed[] = [];
  let offset = 0;
  for (const { name: text, data } of files) {
    const name = new TextEncoder().encode(text);
    const extra = extraBytes(offset + LOCAL_BYTES + name.length, alignment);
    placed.push({ name, data, crc: crc32(data), offset, extra });
    offset += LOCAL_BYTES + name.length + extra + data.length;
  }
  return { placed, end: offset };
}

/** The fields that both headers of an entry share, from the version that is needed to the length of the extra field. */
function writeCommon(view: DataView, at: number, { name, data, crc }: Placed, extra: number): void {
  view.setUint16(at, VERSION, true);
  view.setUint16(at + 2, UTF8_NAMES, true);
  view.setUint16(at + 8, DATE, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, data.length, true);
  view.setUint32(at + 18, data.length, true);
  view.setUint16(at + 22, name.length, true);
  view.setUint16(at + 24, extra, true);
}

/**
 * Writes a zip archive of uncompressed files whose contents begin at multiples of `alignment` bytes (a power of two, at
 * least 4), so that they can be read in place. Throws UNSUPPORTED beyond 4 GiB or 65,534 files, which would need zip64.
 */
export function writeZip(files: readonly ZipFile[], alignment = 64): Uint8Array<ArrayBuffer> {
  const { placed, end } = place(files, alignment);
  const directoryBytes = placed.reduce((sum, { name }) => sum + CENTRAL_BYTES + name.length, 0);
  const total = end + directoryBytes + END_BYTES;
  if (total >= MAX_32 || files.length >= MAX_16) {
    const what = `${files.length} files of ${total} bytes`;
    throw new ModelError('UNSUPPORTED', `zip: ${what} are too much for one archive; at most 65,534 and 4 GiB fit.`);
  }
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  let at = end;
  for (const entry of placed) {
    const { name, data, offset, extra } = entry;
    view.setUint32(offset, 0x04034b50, true);
    writeCommon(view, offset + 4, entry, extra);
    bytes.set(name, offset + LOCAL_BYTES);
    const filler = offset + LOCAL_BYTES + name.length;
    if (extra > 0) {
      view.setUint16(filler, FILLER, true);
      view.setUint16(filler + 2, extra - 4, true);
      bytes.fill(FILLER_BYTE, filler + 4, filler + extra);
    }
    bytes.set(data, filler + extra);
    view.setUint32(at, CENTRAL_HEADER, true);
    view.setUint16(at + 4, VERSION, true);
    writeCommon(view, at + 6, entry, 0);
    view.setUint32(at + 42, offset, true);
    bytes.set(name, at + CENTRAL_BYTES);
    at += CENTRAL_BYTES + name.length;
  }
  view.setUint32(at, 0x06054b50, true);
  view.setUint16(at + 8, files.length, true);
  view.setUint16(at + 10, files.length, true);
  view.setUint32(at + 12, directoryBytes, true);
  view.setUint32(at + 16, end, true);
  return bytes;
}
