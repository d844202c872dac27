import { fail, refuse } from './limits.js';

/** Signatures and sizes of the records (APPNOTE.TXT 6.3.10: 4.3.12, 4.3.14, 4.3.15, 4.3.16). */
export const CENTRAL_HEADER = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const END_BYTES = 22;
const END_64_BYTES = 56;
const LOCATOR_BYTES = 20;
const MAX_COMMENT = 0xffff;

/** Where the list of entries lies, and how many there are. */
export interface Directory {
  readonly offset: number;
  readonly bytes: number;
  readonly entries: number;
}

export const SATURATED_16 = 0xffff;
export const SATURATED_32 = 0xffff_ffff;

/** A 64-bit number of the archive; none can be larger than the archive itself. */
export function size64(view: DataView, offset: number, what: string): number {
  const value = view.getBigUint64(offset, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) fail(`${what} is ${value}, which is not possible.`);
  return Number(value);
}

/** The end record: the last one whose comment reaches to the end of the archive. */
function findEnd(view: DataView): number {
  const first = Math.max(0, view.byteLength - END_BYTES - MAX_COMMENT);
  for (let at = view.byteLength - END_BYTES; at >= first; at--) {
    if (view.getUint32(at, true) === END && at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength) {
      return at;
    }
  }
  fail('it has no end record, so it is cut short or no zip archive.');
}

function agree(short: number, saturated: number, long: number, what: string): number {
  if (short !== saturated && short !== long) fail(`its two end records disagree about ${what}: ${short} and ${long}.`);
  return long;
}

/** Finds the directory of an archive; it must lie right before the end records. */
export function findDirectory(view: DataView): Directory {
  if (view.byteLength < END_BYTES) fail(`an archive has at least ${END_BYTES} bytes; got ${view.byteLength}.`);
  const end = findEnd(view);
  if (view.getUint16(end + 4, true) !== 0 || view.getUint16(end + 6, true) !== 0) {
    refuse('it is one part of several. Join them first.');
  }
  const here = view.getUint16(end + 8, true);
  const short = {
    entries: view.getUint16(end + 10, true),
    bytes: view.getUint32(end + 12, true),
    offset: view.getUint32(end + 16, true),
  };
  if (here !== short.entries) fail('it says that some of its entries lie elsewhere.');
  const locator = end - LOCATOR_BYTES;
  const is64 = locator >= 0 && view.getUint32(locator, true) === LOCATOR_64;
  const directory = is64 ? readEnd64(view, locator, short) : short;
  const limit = is64 ? size64(view, locator + 8, 'the offset of its zip64 end record') : end;
  if (directory.offset + directory.bytes !== limit) {
    const { offset, bytes } = directory;
    fail(`its directory should end at ${limit}; it says ${bytes} bytes from ${offset} on.`);
  }
  return directory;
}

/** The end record of zip64, which PyTorch writes always and others for archives of more than 4 GiB or 65,535 entries. */
function readEnd64(view: DataView, locator: number, short: Directory): Directory {
  const at = size64(view, locator + 8, 'the offset of its zip64 end record');
  if (at + END_64_BYTES > locator || view.getUint32(at, true) !== END_64) fail('it has no zip64 end record.');
  if (at + 12 + size64(view, at + 4, 'the size of its zip64 end record') !== locator) {
    fail('its zip64 end record has the wrong size.');
  }
  const entries = size64(view, at + 32, 'the number of its entries');
  if (view.getUint32(at + 16, true) !== 0 || view.getUint32(at + 20, true) !== 0) {
    refuse('it is one part of several. Join them first.');
  }
  if (size64(view, at + 24, 'the number of its entries') !== entries) {
    fail('it says that some of its entries lie elsewhere.');
  }
  return {
    entries: agree(short.entries, SATURATED_16, entries, 'the number of entries'),
    bytes: agree(short.bytes, SATURATED_32, size64(view, at + 40, 'the size of its directory'), "the directory's size"),
    offset: agree(
      short.offset,
      SATURATED_32,
      size64(view, at + 48, 'the offset of its directory'),
      "the directory's place",
    ),
  };
}
