import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, getFileNameLowLevel, RandomAccessReader } from 'yauzl';
import {
  type ArchiveEntries,
  type ArchiveFile,
  type ArchiveMeter,
  cleanPath,
  isHidden,
  type RefusedEntry,
  readChunks,
} from './entries.js';
import { DatasetError } from './errors.js';

/** High half of the external attributes, where `versionMadeBy` says Unix: the file's mode (APPNOTE.TXT 4.4.15). */
const UNIX = 3;
const MODE_TYPE = 0o170000;
const MODE_REGULAR = 0o100000;
const MODE_NONE = 0;

const STREAM_CHUNK = 65_536;

/** Entries of a zip archive. The file stays the caller's to close. */
export async function* zipEntries(file: FileHandle, bytes: number, meter: ArchiveMeter): ArchiveEntries {
  try {
    const zip = await fromRandomAccessReaderPromise(new FileReader(file, bytes), bytes, {
      lazyEntries: true,
      autoClose: false,
      decodeStrings: false,
    });
    for await (const entry of zip.eachEntry()) {
      meter.countEntry();
      const name = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, false);
      if (/[\\/]$/.test(name)) continue;
      const { path, refused } = cleanPath(name);
      if (isHidden(path)) continue;
      const reason = refused ?? whyRefused(entry, meter);
      const item: RefusedEntry | ArchiveFile = reason
        ? { path, refused: reason }
        : {
            path,
            read: async () =>
              readEntry(path, entry, await openEntry(path, () => zip.openReadStreamPromise(entry)), meter),
          };
      yield item;
    }
  } catch (error) {
    if (error instanceof DatasetError) throw error;
    throw new DatasetError('DAMAGED_ARCHIVE', `The zip archive cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

function whyRefused(entry: Entry, { limits }: ArchiveMeter): string | null {
  const { compressedSize, uncompressedSize } = entry;
  const mode = entry.versionMadeBy >>> 8 === UNIX ? (entry.externalFileAttributes >>> 16) & MODE_TYPE : MODE_NONE;
  if (mode !== MODE_NONE && mode !== MODE_REGULAR) return 'it is a link or a special file';
  if (entry.isEncrypted()) return 'it is encrypted';
  if (!entry.canDecodeFileData()) {
    return `its compression method ${entry.compressionMethod} is not supported (only deflate is)`;
  }
  if (uncompressedSize > limits.maxFileBytes) {
    return `it has ${uncompressedSize} bytes; at most ${limits.maxFileBytes} are allowed`;
  }
  // A small file may be all zeros; a large one that shrinks so much is there to fill the memory.
  if (uncompressedSize > 2 ** 20 && uncompressedSize > compressedSize * limits.maxCompressionRatio) {
    return `it unpacks to more than ${limits.maxCompressionRatio} times its size`;
  }
  return null;
}

async function openEntry(path: string, open: () => Promise<Readable>): Promise<Readable> {
  try {
    return await open();
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function readEntry(path: string, entry: Entry, stream: Readable, meter: ArchiveMeter): Promise<Uint8Array> {
  let content: Uint8Array;
  try {
    content = await readChunks(stream, path, (bytes) => meter.countBytes(bytes), meter.limits.maxFileBytes);
  } catch (error) {
    throw error instanceof DatasetError ? error : unreadable(path, error);
  }
  if (crc32(content) !== entry.crc32) throw unreadable(path, new Error('its checksum is wrong'));
  return content;
}

const unreadable = (path: string, cause: unknown): DatasetError =>
  new DatasetError('UNREADABLE_FILE', `${path} is damaged: ${(cause as Error).message}`, { cause });

/**
 * Reads a file by position. yauzl's own reader passes whatever offsets an archive names on to the file system, which throws
 * where nobody can catch it.
 */
class FileReader extends RandomAccessReader {
  constructor(
    private readonly file: FileHandle,
    private readonly bytes: number,
  ) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    if (!(position >= 0 && position + length <= this.bytes)) {
      callback(new Error('it ends before what it says is in it'));
      return;
    }
    if (length === 0) {
      callback(null, 0);
      return;
    }
    this.file.read(buffer, offset, length, position).then(
      ({ bytesRead }) => callback(bytesRead < length ? new Error('it became shorter') : null, bytesRead),
      (error: Error) => callback(error),
    );
  }

  override createReadStream({ start, end }: { start: number; end: number }): Readable {
    return Readable.from(this.chunks(start, end), { objectMode: false });
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return this.createReadStream({ start, end });
  }

  private async *chunks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let position = start; position < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(STREAM_CHUNK, end - position));
      const { bytesRead } = await this.file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) throw new Error('it ends early');
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  override close(callback: (error: Error | null) => void): void {
    callback(null);
  }
}
