import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { type ArchiveEntries, type ArchiveMeter, cleanPath, isHidden, readChunks } from './entries.js';
import { DatasetError } from './errors.js';

/** Its chunks are buffers. */
type Entry = AsyncIterable<unknown> & { readonly header: Header };

/** Entries of a tar archive, gzipped or not, from a stream of its bytes. Every byte of it counts, headers included. */
export async function* tarEntries(stream: Readable, isGzipped: boolean, meter: ArchiveMeter): ArchiveEntries {
  // As old as `tar --format=v7`; the option is missing in the package's types.
  const archive = extract({ allowUnknownFormat: true } as object);
  const count = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      meter.countBytes(chunk.length);
      yield chunk;
    }
  };
  const fed = isGzipped ? pipeline(stream, createGunzip(), count, archive) : pipeline(stream, count, archive);
  // Awaited at the end; the reader below meets the same failure first, and without a handler it would end the process.
  fed.catch(() => undefined);
  /** What went wrong: the pipeline knows whether a limit was passed or the gzip data are damaged. */
  const failure = async (error: unknown): Promise<DatasetError> => {
    if (error instanceof DatasetError) return error;
    const cause = await fed.then(
      () => error,
      (reason: unknown) => reason,
    );
    if (cause instanceof DatasetError) return cause;
    const { message } = cause as Error;
    return new DatasetError('DAMAGED_ARCHIVE', `The tar archive cannot be read: ${message}.`, { cause });
  };
  const read = async (entry: Entry, path: string): Promise<Uint8Array> => {
    try {
      const chunks = entry as AsyncIterable<Uint8Array>;
      return await readChunks(chunks, path, () => undefined, meter.limits.maxFileBytes);
    } catch (error) {
      throw await failure(error);
    }
  };
  try {
    for await (const entry of archive) {
      meter.countEntry();
      yield* oneEntry(entry, meter, read);
    }
    await fed;
  } catch (error) {
    throw await failure(error);
  } finally {
    stream.destroy();
    archive.destroy();
  }
}

async function* oneEntry(
  entry: Entry,
  meter: ArchiveMeter,
  read: (entry: Entry, path: string) => Promise<Uint8Array>,
): ArchiveEntries {
  const { name, type, size } = entry.header;
  const { path, refused } = cleanPath(name);
  let wasRead = false;
  if (type !== 'directory' && !isHidden(path)) {
    const reason = refused ?? whyRefused(type, size, meter.limits.maxFileBytes);
    if (reason) yield { path, refused: reason };
    else {
      yield {
        path,
        read: () => {
          wasRead = true;
          return read(entry, path);
        },
      };
    }
  }
  // The next header lies behind this entry's bytes.
  if (!wasRead) for await (const _ of entry);
}

function whyRefused(type: Header['type'], size: number, maxBytes: number): string | null {
  if (type !== 'file' && type !== 'contiguous-file') return 'it is a link or a special file';
  if (size > maxBytes) return `it has ${size} bytes; at most ${maxBytes} are allowed`;
  return null;
}
