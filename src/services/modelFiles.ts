import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';
import { isModelArchive } from '../models/detect.js';
import { uploadsById } from '../store/datasets.js';
import type { UploadRow } from '../store/schema.js';
import { ServiceError } from './api.js';
import type { Context } from './context.js';
import { badInput, notFound } from './inputs.js';

type Files = Record<string, Uint8Array>;

/** Model files in one import: a TF.js model of a few GiB has some hundred shards. */
export const MAX_FILES = 1000;

const ZIP_MAGIC = [0x50, 0x4b, 0x03, 0x04];

/** Uploads by id. Throws NOT_FOUND for the first that does not exist. */
export async function requireUploads({ queries }: Context, ids: readonly string[]): Promise<UploadRow[]> {
  const rows = await uploadsById(queries, ids);
  return rows.map((row, index) => {
    if (!row) throw notFound('upload', ids[index] as string);
    return row;
  });
}

/** The files of uploads by name; zip archives are opened, unless they are a model by themselves (.keras, .pth). The limit of one upload holds for all unpacked files together. */
export async function readModelFiles(context: Context, uploadIds: readonly string[]): Promise<Files> {
  if (uploadIds.length < 1 || uploadIds.length > MAX_FILES) {
    throw badInput(`An import takes 1 to ${MAX_FILES} uploads; got ${uploadIds.length}.`);
  }
  const uploads = await requireUploads(context, uploadIds);
  const collected = new Collection(context.config.maxUploadBytes);
  for (const { filename, hash, bytes } of uploads) {
    collected.checkRoom(bytes);
    await collected.addFile(filename, await context.blobs.read(hash));
  }
  return collected.files;
}

/** The files of one import. Together they may not have more than `maxBytes`. */
export class Collection {
  readonly files: Files = Object.create(null) as Files;
  private count = 0;
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  reserve(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.maxBytes) {
      throw new ServiceError(
        'LIMIT_EXCEEDED',
        `The files of this import have more than ${this.maxBytes} bytes when unpacked. GRAFT_MAX_UPLOAD_MB sets the limit.`,
      );
    }
  }

  /** Throws where a file of so many bytes would be too much. */
  checkRoom(bytes: number): void {
    this.reserve(bytes);
    this.bytes -= bytes;
  }

  /** Adds a file, or what is in it where it is a zip archive that is not a model by itself. */
  async addFile(name: string, content: Uint8Array): Promise<void> {
    if (ZIP_MAGIC.every((byte, index) => content[index] === byte) && !isModelArchive(content)) {
      await unzip(name, content, this);
      return;
    }
    this.reserve(content.length);
    this.add(name, content);
  }

  add(name: string, content: Uint8Array): void {
    if (name in this.files) throw badInput(`Two files of this import are named ${name}. Give each its own name.`);
    if (++this.count > MAX_FILES) throw new ServiceError('LIMIT_EXCEEDED', `An import has at most ${MAX_FILES} files.`);
    this.files[name] = content;
  }
}

async function unzip(filename: string, content: Uint8Array, collected: Collection): Promise<void> {
  try {
    const buffer = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    const zip = await fromBufferPromise(buffer, { lazyEntries: true });
    for await (const entry of zip.eachEntry()) await addEntry(zip, entry, collected);
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause;
    const reason = (cause as Error).message;
    throw new ServiceError('UNSUPPORTED_FILE', `${filename} is not a zip archive that can be read: ${reason}.`, {
      cause,
    });
  }
}

/** Adds one entry of an archive; yauzl refuses entries that have more bytes than they say. */
async function addEntry(zip: ZipFile, entry: Entry, collected: Collection): Promise<void> {
  if (entry.fileName.endsWith('/') || entry.fileName.startsWith('__MACOSX/')) return;
  collected.reserve(entry.uncompressedSize);
  const chunks: Buffer[] = [];
  for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
  collected.add(entry.fileName, Buffer.concat(chunks));
}
