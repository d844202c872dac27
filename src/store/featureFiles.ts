import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { StoredRecords } from './featureShards.js';

export interface FeatureFilesOptions {
  /** Bytes that all trunks may take together. */
  readonly limitBytes: number;
  /** Hears why records cannot be kept: a full disk or a folder of somebody else's must not end a run. */
  readonly onProblem?: (error: unknown) => void;
}

interface Trunk {
  readonly path: string;
  readonly bytes: number;
  readonly usedAt: number;
}

const KEY = /^[0-9a-f]{64}$/;

/**
 * Features of frozen trunks in a local folder, one folder a key. Where they take more than the limit, the trunks that were used
 * longest ago go, whole; the time of use is the folder's own.
 */
export class FeatureFiles {
  constructor(
    private readonly root: string,
    private readonly options: FeatureFilesOptions,
  ) {}

  /** The records under `key`, 64 hexadecimal digits. What is damaged counts as missing. Null where the folder cannot be used. */
  async open(key: string, recordBytes: number): Promise<StoredRecords | null> {
    if (!KEY.test(key)) throw new RangeError(`${JSON.stringify(key)} is no key: that is 64 hexadecimal digits.`);
    const folder = join(this.root, key);
    const onProblem = this.options.onProblem ?? (() => undefined);
    try {
      await mkdir(folder, { recursive: true });
      await utimes(folder, new Date(), new Date());
      await this.makeRoom(folder, 0);
      const reserve = (bytes: number) => this.makeRoom(folder, bytes);
      return await StoredRecords.open(folder, recordBytes, { reserve, onProblem });
    } catch (error) {
      onProblem(error);
      return null;
    }
  }

  /** Deletes other trunks than that in `folder` until `bytes` more fit, if they can. Returns the bytes that are free then. */
  private async makeRoom(folder: string, bytes: number): Promise<number> {
    const trunks = await this.trunks();
    let free = trunks.reduce((rest, trunk) => rest - trunk.bytes, this.options.limitBytes);
    const oldestFirst = trunks.filter(({ path }) => path !== folder).sort((a, b) => a.usedAt - b.usedAt);
    for (const trunk of oldestFirst) {
      if (free >= bytes) break;
      // Another process that reads it goes on with the files that it has open, or finds its records missing.
      await rm(trunk.path, { recursive: true, force: true });
      free += trunk.bytes;
    }
    return free;
  }

  private async trunks(): Promise<Trunk[]> {
    const names = (await readdir(this.root)).filter((name) => KEY.test(name));
    return Promise.all(
      names.map(async (name) => {
        const path = join(this.root, name);
        try {
          const files = await readdir(path);
          const sizes = await Promise.all(files.map(async (file) => (await stat(join(path, file))).size));
          return { path, bytes: sizes.reduce((sum, size) => sum + size, 0), usedAt: (await stat(path)).mtimeMs };
        } catch (error) {
          // Deleted by another process between two looks.
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
          return { path, bytes: 0, usedAt: 0 };
        }
      }),
    );
  }
}
