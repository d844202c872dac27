import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { openArchive } from '../../src/datasets/archive.js';
import type { ArchiveLimits } from '../../src/datasets/entries.js';
import { DatasetError } from '../../src/datasets/errors.js';
import { temporaryFolder } from '../store/fixtures.js';

export interface TarEntry extends Partial<Header> {
  readonly name: string;
  readonly data?: Uint8Array;
}

/** A tar archive, written by tar-stream. */
export async function tar(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { data, ...header } of entries) {
    if (header.type && header.type !== 'file') archive.entry(header);
    else archive.entry({ ...header, size: data?.length ?? 0 }, Buffer.from(data ?? []));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export const tarOf = (files: Readonly<Record<string, Uint8Array>>): Promise<Buffer> =>
  tar(Object.entries(files).map(([name, data]) => ({ name, data })));

export const gzip = (bytes: Uint8Array): Buffer => gzipSync(bytes);

export interface Listing {
  /** Content of what could be read, by path. */
  readonly files: Record<string, Buffer>;
  /** Why something was refused or could not be read, by path. */
  readonly refused: Record<string, string>;
}

/** Reads everything in an archive or folder. */
export async function list(path: string, limits: Partial<ArchiveLimits> = {}): Promise<Listing> {
  const files: Record<string, Buffer> = {};
  const refused: Record<string, string> = {};
  for await (const entry of openArchive(path, limits)) {
    if ('refused' in entry) refused[entry.path] = entry.refused;
    else {
      try {
        files[entry.path] = Buffer.from(await entry.read());
      } catch (error) {
        if (!(error instanceof DatasetError) || error.code !== 'UNREADABLE_FILE') throw error;
        refused[entry.path] = error.message;
      }
    }
  }
  return { files, refused };
}

/** As `list`, of bytes in a file whose name says nothing. */
export async function listBytes(bytes: Uint8Array, limits: Partial<ArchiveLimits> = {}): Promise<Listing> {
  const folder = await temporaryFolder();
  try {
    const path = join(folder.path, 'archive');
    await writeFile(path, bytes);
    return await list(path, limits);
  } finally {
    await folder.remove();
  }
}

/** Whether an error is a `DatasetError` of that code. */
export const coded =
  (code: DatasetError['code']) =>
  (error: unknown): boolean =>
    error instanceof DatasetError && error.code === code;
