import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { DownloadError } from './errors.js';

/** Unfinished files, and what processes that died left behind, are kept so long. */
const LEFTOVER_MS = 7 * 24 * 3_600_000;
/** A file that was used so recently may be about to be read, by another process too. */
const IN_USE_MS = 60_000;
const UNFINISHED = /\.(?:part|part\.json|lock(?:\.[\w-]+)?)$/;

export interface Digest {
  readonly algorithm: 'sha256' | 'sha512' | 'sha1' | 'gitBlob';
  /** Hexadecimal digits: all, or the first ones. */
  readonly hex: string;
}

/** Whether the file's hash begins with the digits. `gitBlob` is SHA-1 as git computes it, over a header and the bytes. */
export async function matchesDigest(path: string, { algorithm, hex }: Digest): Promise<boolean> {
  const hash = createHash(algorithm === 'gitBlob' ? 'sha1' : algorithm);
  if (algorithm === 'gitBlob') hash.update(`blob ${(await stat(path)).size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex').startsWith(hex);
}

/** A folder of whole files by name, with unfinished ones beside them. */
export class CacheFolder {
  constructor(
    readonly path: string,
    private readonly limitBytes: number,
  ) {}

  /** Throws INVALID_URL for what is no plain file name. */
  place(name: string): string {
    if (!/^[\w@][\w@.+ -]{0,199}$/.test(name) || UNFINISHED.test(name)) {
      throw new DownloadError(
        'INVALID_URL',
        `${JSON.stringify(name.slice(0, 80))} is no name for a file in the cache.`,
      );
    }
    return join(this.path, name);
  }

  async open(): Promise<void> {
    await mkdir(this.path, { recursive: true });
  }

  /** Bytes of a whole file; null where there is none. Marks it as used. */
  async find(name: string): Promise<number | null> {
    const path = this.place(name);
    const found = await stat(path).catch(() => null);
    if (!found?.isFile()) return null;
    // Where it is not ours to touch, as with files that somebody put here, it is no matter.
    await utimes(path, new Date(), new Date()).catch(() => undefined);
    return found.size;
  }

  /** Deletes old leftovers, then the files that were used longest ago until the rest fits the limit. */
  async trim(): Promise<void> {
    const now = Date.now();
    const files: { path: string; bytes: number; usedAt: number }[] = [];
    for (const name of await readdir(this.path)) {
      const path = join(this.path, name);
      const found = await stat(path).catch(() => null);
      if (!found?.isFile()) continue;
      if (!UNFINISHED.test(name)) files.push({ path, bytes: found.size, usedAt: found.mtimeMs });
      else if (now - found.mtimeMs > LEFTOVER_MS) await rm(path, { force: true });
    }
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { path, bytes, usedAt } of files.sort((a, b) => a.usedAt - b.usedAt)) {
      if (total <= this.limitBytes) return;
      if (now - usedAt < IN_USE_MS) continue;
      await rm(path, { force: true });
      total -= bytes;
    }
  }
}
