import { crc32 } from './crc32.js';
import { findDirectory } from './directory.js';
import { readEntries, type ZipEntry } from './headers.js';
import { inflate } from './inflate.js';
import { fail, ZIP_LIMITS, type ZipLimits } from './limits.js';

/** Whether bytes begin like a zip archive that is not empty. */
export function looksLikeZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 0x03 && bytes[3] === 0x04;
}

/** An archive whose records have all been checked. Its bytes must not change while it is in use. */
export class ZipArchive {
  private readonly byName: ReadonlyMap<string, ZipEntry>;

  constructor(
    private readonly bytes: Uint8Array,
    readonly entries: readonly ZipEntry[],
  ) {
    this.byName = new Map(entries.map((entry) => [entry.name, entry]));
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  /**
   * The content of a file, checked against its checksum. What is stored uncompressed comes as a view into the archive, to be
   * read only. Throws INVALID_FILE where there is no such file or it is damaged.
   */
  read(name: string): Uint8Array {
    const entry = this.byName.get(name);
    if (!entry) fail(`there is no file ${name}.`);
    const packed = this.bytes.subarray(entry.dataOffset, entry.dataOffset + entry.packedSize);
    const content = entry.method === 'stored' ? packed : inflate(packed, entry.size);
    if (crc32(content) !== entry.crc32) fail(`${name} is damaged: its checksum is wrong.`);
    return content;
  }
}

/**
 * Opens a zip archive. All records are read and compared with each other before any content is: entries lie inside the
 * archive, share no byte and no name, have plain relative paths, are no links, and claim sizes within `limits`.
 * Throws INVALID_FILE, or UNSUPPORTED for encryption, archives in parts and compression other than deflate.
 */
export function openZip(bytes: Uint8Array, limits: Partial<ZipLimits> = {}): ZipArchive {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new ZipArchive(bytes, readEntries(view, findDirectory(view), { ...ZIP_LIMITS, ...limits }));
}
