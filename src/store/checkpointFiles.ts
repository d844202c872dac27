import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const NAME = /^[0-9a-f]{32}$/;
const HASH_BYTES = 32;

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/**
 * The newest checkpoint of each run in a folder: one file, named by the run, its SHA-256 in front. It is written beside its place,
 * flushed and renamed, so that a crash leaves the old one or the new one.
 */
export class CheckpointFiles {
  constructor(private readonly folder: string) {}

  private path(run: string): string {
    if (!NAME.test(run)) throw new Error(`${JSON.stringify(run)} is no id of a run.`);
    return join(this.folder, run);
  }

  async write(run: string, bytes: Uint8Array): Promise<void> {
    const path = this.path(run);
    await mkdir(this.folder, { recursive: true });
    const temporary = `${path}.${randomUUID()}`;
    try {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(sha256(bytes));
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Null where there is none, or one that is damaged. */
  async read(run: string): Promise<Uint8Array | null> {
    let content: Uint8Array;
    try {
      content = await readFile(this.path(run));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    const bytes = content.subarray(HASH_BYTES);
    return sha256(bytes).equals(content.subarray(0, HASH_BYTES)) ? bytes : null;
  }

  async remove(run: string): Promise<void> {
    await rm(this.path(run), { force: true });
  }

  /** Removes all but those of `runs`, and what interrupted writes left. */
  async keepOnly(runs: ReadonlySet<string>): Promise<void> {
    const names = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    for (const name of names) if (!runs.has(name)) await rm(join(this.folder, name), { force: true });
  }
}
