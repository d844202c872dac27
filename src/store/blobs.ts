import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { StoreError } from './errors.js';

export interface BlobInfo {
  /** SHA-256 of the content, 64 hexadecimal digits: the blob's name. */
  readonly hash: string;
  readonly bytes: number;
}

/** What went, or would go. */
export interface Swept {
  readonly files: number;
  readonly bytes: number;
}

type Chunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array>;

const HASH = /^[0-9a-f]{64}$/;

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/**
 * Files by content in a local folder: `blobs/ab/abcd...`. A blob appears whole or not at all: it is written beside its place,
 * flushed to the disk, and renamed. Paths are made of checked hashes only, never of anything that a user named.
 */
export class BlobStore {
  private readonly incoming: string;

  private constructor(private readonly root: string) {
    this.incoming = join(root, 'incoming');
  }

  static async open(root: string): Promise<BlobStore> {
    const store = new BlobStore(root);
    await mkdir(store.incoming, { recursive: true });
    return store;
  }

  /** Where the blob lies. Throws BLOB_NOT_FOUND for what is no hash; says nothing about whether the blob exists. */
  path(hash: string): string {
    if (!HASH.test(hash)) {
      throw new StoreError(
        'BLOB_NOT_FOUND',
        `${JSON.stringify(hash.slice(0, 80))} is no hash: a blob's name is 64 hexadecimal digits.`,
      );
    }
    return join(this.root, hash.slice(0, 2), hash);
  }

  /** Stores bytes or a stream. Throws BLOB_TOO_LARGE past `maxBytes`, leaving nothing behind. */
  async put(content: Uint8Array | Chunks, maxBytes = Number.POSITIVE_INFINITY): Promise<BlobInfo> {
    const temporary = join(this.incoming, randomUUID());
    const file = await open(temporary, 'wx');
    try {
      const info = await copy(content instanceof Uint8Array ? [content] : content, file, maxBytes);
      await file.sync();
      await file.close();
      await this.place(temporary, info.hash);
      return info;
    } catch (error) {
      await file.close().catch(() => undefined);
      await rm(temporary, { force: true });
      throw error;
    }
  }

  private async place(temporary: string, hash: string): Promise<void> {
    const path = this.path(hash);
    if ((await this.size(hash)) !== null) {
      // Its age protects a blob from `sweep` until the row that refers to it is written.
      await utimes(path, new Date(), new Date());
      await rm(temporary);
      return;
    }
    await mkdir(dirname(path), { recursive: true });
    await rename(temporary, path);
    await syncFolder(dirname(path));
  }

  /** Throws where files cannot be written. */
  async check(): Promise<void> {
    await access(this.incoming, constants.W_OK);
  }

  /** Bytes of a blob, or null where it does not exist. */
  async size(hash: string): Promise<number | null> {
    try {
      return (await stat(this.path(hash))).size;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** The content, held against its hash. Throws BLOB_NOT_FOUND, or BLOB_DAMAGED where it is not what was stored. */
  async read(hash: string): Promise<Uint8Array> {
    let content: Uint8Array;
    try {
      content = await readFile(this.path(hash));
    } catch (error) {
      throw isMissing(error) ? notFound(hash) : error;
    }
    if (createHash('sha256').update(content).digest('hex') !== hash) throw damaged(hash);
    return content;
  }

  /**
   * The content bit by bit; the stream fails at its end with BLOB_DAMAGED where it was not what was stored. The caller must read
   * or destroy it. Throws BLOB_NOT_FOUND.
   */
  async stream(hash: string): Promise<{ readonly stream: NodeJS.ReadableStream; readonly bytes: number }> {
    const bytes = await this.size(hash);
    if (bytes === null) throw notFound(hash);
    const path = this.path(hash);
    async function* verified(): AsyncGenerator<Uint8Array> {
      const digest = createHash('sha256');
      for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
        digest.update(chunk);
        yield chunk;
      }
      if (digest.digest('hex') !== hash) throw damaged(hash);
    }
    return { stream: Readable.from(verified(), { objectMode: false }), bytes };
  }

  /**
   * Deletes blobs that `isUsed` does not know and that were not touched for `minAgeMs`, and what interrupted uploads left; with
   * `dryRun` it only says what it would delete.
   */
  async sweep(isUsed: (hash: string) => boolean, minAgeMs: number, dryRun = false): Promise<Swept> {
    const before = Date.now() - minAgeMs;
    let files = 0;
    let bytes = 0;
    for (const folder of await readdir(this.root, { withFileTypes: true })) {
      if (!folder.isDirectory()) continue;
      for (const name of await readdir(join(this.root, folder.name))) {
        const path = join(this.root, folder.name, name);
        if (folder.name !== 'incoming' && (!HASH.test(name) || isUsed(name))) continue;
        const { mtimeMs, size } = await stat(path);
        if (mtimeMs > before) continue;
        if (!dryRun) await rm(path, { force: true });
        files++;
        bytes += size;
      }
    }
    return { files, bytes };
  }
}

const damaged = (hash: string): StoreError =>
  new StoreError(
    'BLOB_DAMAGED',
    `The stored file ${hash} is damaged: its content is not what was stored. Restore blobs/${hash.slice(0, 2)}/${hash} from a backup.`,
  );

const notFound = (hash: string): StoreError => new StoreError('BLOB_NOT_FOUND', `There is no blob ${hash}.`);

async function copy(content: Chunks, file: FileHandle, maxBytes: number): Promise<BlobInfo> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content) {
    const data = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    bytes += data.byteLength;
    if (bytes > maxBytes) {
      throw new StoreError('BLOB_TOO_LARGE', `The file has more than the ${maxBytes} bytes that are allowed.`);
    }
    hash.update(data);
    let written = 0;
    while (written < data.byteLength) {
      written += (await file.write(data, written, data.byteLength - written)).bytesWritten;
    }
  }
  return { hash: hash.digest('hex'), bytes };
}

/** Makes a rename last through a power cut. Windows cannot open folders, and needs no such thing. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
