import { CENTRAL_HEADER, type Directory, SATURATED_16, SATURATED_32, size64 } from './directory.js';
import { FREE_BYTES, fail, refuse, SMALL_ENTRY_BYTES, type ZipLimits } from './limits.js';
import { entryName } from './name.js';

/** One file in an archive. */
export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflate';
  /** Unpacked. */
  readonly size: number;
  readonly packedSize: number;
  /** Where the packed bytes begin in the archive. */
  readonly dataOffset: number;
  readonly crc32: number;
}

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const EXTRA_64 = 0x0001;
/** General purpose flags (APPNOTE.TXT 4.4.4). */
const ENCRYPTED = 0x0001 | 0x0040 | 0x2000;
const DESCRIPTOR_FOLLOWS = 0x0008;
const PATCHED = 0x0020;
/** Hosts whose external attributes hold a Unix mode in their upper half (4.4.2, 4.4.15). */
const UNIX_HOSTS = [3, 19];
const MODE_TYPE = 0o170000;
const MODE_REGULAR = 0o100000;
const MODE_FOLDER = 0o040000;

interface CentralHeader {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc32: number;
  readonly packedSize: number;
  readonly size: number;
  readonly offset: number;
  readonly next: number;
}

interface Sizes {
  readonly size: number;
  readonly packedSize: number;
  readonly offset: number;
}

/** Replaces the saturated fields by those of the zip64 extra field, which holds them in this order and no others (4.5.3). */
function widen(view: DataView, start: number, end: number, { size, packedSize, offset }: Sizes, name: string): Sizes {
  const wide = [size, packedSize, offset].map((value) => value === SATURATED_32);
  if (!wide.includes(true)) return { size, packedSize, offset };
  for (let at = start; at + 4 <= end; ) {
    const length = view.getUint16(at + 2, true);
    if (at + 4 + length > end) break;
    if (view.getUint16(at, true) !== EXTRA_64) {
      at += 4 + length;
      continue;
    }
    let field = at + 4;
    const read = (saturated: boolean, short: number): number => {
      if (!saturated) return short;
      if (field + 8 > at + 4 + length) fail(`${name}: its zip64 field is too short.`);
      field += 8;
      return size64(view, field - 8, `${name}: a size`);
    };
    return {
      size: read(wide[0] as boolean, size),
      packedSize: read(wide[1] as boolean, packedSize),
      offset: read(wide[2] as boolean, offset),
    };
  }
  fail(`${name}: it claims 4 GiB or more and has no zip64 field.`);
}

function readCentral(view: DataView, at: number, end: number): CentralHeader {
  if (at + CENTRAL_BYTES > end || view.getUint32(at, true) !== CENTRAL_HEADER) {
    fail(`the directory is damaged at byte ${at}.`);
  }
  const nameLength = view.getUint16(at + 28, true);
  const extra = at + CENTRAL_BYTES + nameLength;
  const comment = extra + view.getUint16(at + 30, true);
  const next = comment + view.getUint16(at + 32, true);
  if (next > end) fail(`the directory is damaged at byte ${at}.`);
  const nameBytes = new Uint8Array(view.buffer, view.byteOffset + at + CENTRAL_BYTES, nameLength);
  const name = entryName(nameBytes);
  checkKind(view, at, name);
  const sizes = {
    size: view.getUint32(at + 24, true),
    packedSize: view.getUint32(at + 20, true),
    offset: view.getUint32(at + 42, true),
  };
  return {
    name,
    nameBytes,
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    crc32: view.getUint32(at + 16, true),
    ...widen(view, extra, comment, sizes, name),
    next,
  };
}

/** Refuses what is neither a plain file nor a folder, and what cannot be read. */
function checkKind(view: DataView, at: number, name: string): void {
  const flags = view.getUint16(at + 8, true);
  if (flags & ENCRYPTED) refuse(`${name} is encrypted. Pack the archive again without a password.`);
  if (flags & PATCHED) refuse(`${name} is a patch for another archive.`);
  const disk = view.getUint16(at + 34, true);
  if (disk !== 0 && disk !== SATURATED_16) refuse(`${name} lies in another part of the archive. Join the parts first.`);
  const isUnix = UNIX_HOSTS.includes(view.getUint16(at + 4, true) >>> 8);
  const mode = isUnix ? (view.getUint32(at + 38, true) >>> 16) & MODE_TYPE : 0;
  const plain = name.endsWith('/') ? MODE_FOLDER : MODE_REGULAR;
  if (mode !== 0 && mode !== plain) fail(`${name} is a link or a special file; only plain files are read.`);
}

/** Compares an entry's own header with the directory's; returns where its data begins. */
function readLocal(view: DataView, central: CentralHeader, end: number): number {
  const { name, nameBytes, offset, flags } = central;
  if (offset + LOCAL_BYTES > end || view.getUint32(offset, true) !== LOCAL_HEADER) {
    fail(`${name}: there is no entry at byte ${offset}.`);
  }
  const nameLength = view.getUint16(offset + 26, true);
  const extra = offset + LOCAL_BYTES + nameLength;
  const dataOffset = extra + view.getUint16(offset + 28, true);
  if (dataOffset > end) fail(`${name}: its header reaches into the directory.`);
  const start = view.byteOffset + offset + LOCAL_BYTES;
  const ownName = new Uint8Array(view.buffer, start, nameLength);
  if (nameLength !== nameBytes.length || ownName.some((byte, index) => byte !== nameBytes[index])) {
    fail(`${name} has another name in the directory than in front of its data.`);
  }
  const ownFlags = view.getUint16(offset + 6, true);
  if (ownFlags & ENCRYPTED || view.getUint16(offset + 8, true) !== central.method) {
    fail(`${name} is packed in another way than the directory says.`);
  }
  // With a descriptor behind the data, the header in front of it need not know the sizes.
  if (((ownFlags | flags) & DESCRIPTOR_FOLLOWS) === 0) {
    const short = { size: view.getUint32(offset + 22, true), packedSize: view.getUint32(offset + 18, true), offset: 0 };
    const own = widen(view, extra, dataOffset, short, name);
    if (own.size !== central.size || own.packedSize !== central.packedSize) {
      fail(`${name} has other sizes in the directory than in front of its data.`);
    }
  }
  return dataOffset;
}

function checkedEntry(view: DataView, central: CentralHeader, end: number, maxRatio: number): ZipEntry {
  const { name, size, packedSize, method } = central;
  if (method !== 0 && method !== 8) {
    refuse(`${name} is compressed by method ${method}; stored (0) and deflate (8) can be read. Pack it again.`);
  }
  const dataOffset = readLocal(view, central, end);
  if (dataOffset + packedSize > end) fail(`${name} says it has ${packedSize} bytes, more than the archive holds.`);
  if (method === 0 && size !== packedSize) fail(`${name} is stored, but its two sizes are ${size} and ${packedSize}.`);
  if (size > SMALL_ENTRY_BYTES && size > packedSize * maxRatio) {
    fail(`${name} unpacks to more than ${maxRatio} times its size, which no file of a network does.`);
  }
  return {
    name,
    method: method === 0 ? 'stored' : 'deflate',
    size,
    packedSize,
    dataOffset,
    crc32: central.crc32,
  };
}

/** The files of an archive in the order of its directory; folders are left out. No two of them share a byte or a name. */
export function readEntries(view: DataView, directory: Directory, limits: ZipLimits): ZipEntry[] {
  const { maxEntries, maxRatio, maxTotalRatio } = limits;
  const maxBytes = Math.min(limits.maxBytes, FREE_BYTES + maxTotalRatio * view.byteLength);
  if (directory.entries > maxEntries) {
    fail(`it says it has ${directory.entries} entries; ${maxEntries} are allowed.`);
  }
  const end = directory.offset + directory.bytes;
  const spans: { name: string; begin: number; end: number }[] = [];
  const names = new Set<string>();
  const entries: ZipEntry[] = [];
  let at = directory.offset;
  let total = 0;
  for (let index = 0; index < directory.entries; index++) {
    const central = readCentral(view, at, end);
    const entry = checkedEntry(view, central, directory.offset, maxRatio);
    at = central.next;
    total += entry.size;
    if (total > maxBytes) fail(`it unpacks to more than the ${maxBytes} bytes that are allowed.`);
    if (names.has(entry.name)) fail(`two entries are called ${entry.name}.`);
    names.add(entry.name);
    spans.push({ name: entry.name, begin: central.offset, end: entry.dataOffset + entry.packedSize });
    if (!entry.name.endsWith('/')) entries.push(entry);
    else if (entry.size > 0) fail(`the folder ${entry.name} has content.`);
  }
  if (at !== end) fail(`the directory has ${end - at} bytes more than its entries take.`);
  spans.sort((a, b) => a.begin - b.begin);
  for (let index = 1; index < spans.length; index++) {
    const [before, span] = [spans[index - 1], spans[index]] as [(typeof spans)[0], (typeof spans)[0]];
    if (span.begin < before.end) fail(`${before.name} and ${span.name} overlap.`);
  }
  return entries;
}
