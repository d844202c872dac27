import type { ModelFiles } from '../../src/models/detect.js';
import { Random } from '../../src/models/random.js';
import { goodFiles, type GoodFile } from './goodFiles.js';
import { mutate } from './mutate.js';

export interface FuzzCase {
  readonly format: string;
  readonly files: ModelFiles;
}

/** The good files by format; made once for each process. */
export class Cases {
  private constructor(
    private readonly formats: readonly string[],
    private readonly byFormat: ReadonlyMap<string, readonly GoodFile[]>,
  ) {}

  static create(format: string | null): Cases {
    const all = goodFiles();
    const byFormat = new Map<string, GoodFile[]>();
    for (const file of all) {
      if (format === null || file.format === format)
        byFormat.set(file.format, [...(byFormat.get(file.format) ?? []), file]);
    }
    if (byFormat.size === 0) {
      const known = [...new Set(all.map((file) => file.format))].join(', ');
      throw new Error(`There are no files of the format ${format}; known are ${known}.`);
    }
    return new Cases([...byFormat.keys()], byFormat);
  }

  get names(): readonly string[] {
    return this.formats;
  }

  get good(): readonly GoodFile[] {
    return [...this.byFormat.values()].flat();
  }

  /** Case `index` of a seed: always the same. Formats take turns. */
  at(seed: number, index: number): FuzzCase {
    const format = this.formats[index % this.formats.length] as string;
    const files = this.byFormat.get(format) as readonly GoodFile[];
    const random = new Random(seed, `case ${index}`);
    const pick = () => files[Math.floor(random.uniform() * files.length)] as GoodFile;
    const [good, other] = [pick(), pick()];
    const names = Object.keys(good.files);
    // The first is the one that says what the others are.
    const name = random.uniform() < 0.7 ? names[0] : names[Math.floor(random.uniform() * names.length)];
    const donor = Object.values(other.files)[0] as Uint8Array;
    return {
      format,
      files: { ...good.files, [name as string]: mutate(good.files[name as string] as Uint8Array, random, donor) },
    };
  }
}
