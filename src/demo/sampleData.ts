import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { openDesigner, TEST_DESIGNER, TRAINING_DESIGNERS } from './designers.js';
import { SAMPLE_CLASSES } from './sampleClasses.js';

/** Pixels of a side, as MobileNet-v2 takes them. */
const PICTURE_SIZE = 224;

/** How many of a class's emoji go where; the rest is for training. */
const VALIDATION_EMOJI = 4;
const TEST_EMOJI = 12;

export interface SamplePicture {
  /** Below the folder of the data set, with slashes: `train/animals/noto-fox.png`. */
  readonly path: string;
  readonly split: 'train' | 'val' | 'test';
  readonly label: string;
  /** `id` of the designer. */
  readonly designer: string;
  readonly emoji: string;
}

/** In an order that has nothing to do with the alphabet, and is the same on every machine. */
function shuffled(names: readonly string[]): string[] {
  const key = (name: string) => createHash('sha256').update(name).digest('hex');
  return names
    .map((name) => ({ name, key: key(name) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ name }) => name);
}

/**
 * Which pictures the sample data has. The test pictures show emoji that are in no other split, drawn by a designer who is
 * in no other split: neither the things nor the hand are known. Validation has emoji that training has not, by the same
 * designers as training, so that it may choose the best epoch without a look at the test.
 */
export function samplePlan(): SamplePicture[] {
  return Object.entries(SAMPLE_CLASSES).flatMap(([label, names]) =>
    shuffled(names).flatMap((emoji, rank) => {
      const split = rank < TEST_EMOJI ? 'test' : rank < TEST_EMOJI + VALIDATION_EMOJI ? 'val' : 'train';
      const designers = split === 'test' ? [TEST_DESIGNER] : TRAINING_DESIGNERS;
      return designers.map(({ id }) => {
        const path = `${split}/${label}/${id}-${emoji}.png`;
        return { path, split, label, designer: id, emoji } satisfies SamplePicture;
      });
    }),
  );
}

/**
 * Draws the sample data as PNG files into `folder`, which is made: `train`, `val` and `test` with a folder for each class. The
 * same files, byte for byte, for the same versions of the packages.
 */
export async function buildSampleData(folder: string): Promise<readonly SamplePicture[]> {
  const plan = samplePlan();
  const designers = [...TRAINING_DESIGNERS, TEST_DESIGNER];
  const icons = new Map(
    await Promise.all(designers.map(async (designer) => [designer.id, await openDesigner(designer)] as const)),
  );
  for (const path of new Set(plan.map((picture) => dirname(picture.path)))) {
    await mkdir(join(folder, path), { recursive: true });
  }
  const queue = plan.values();
  const draw = async () => {
    for (const { path, designer, emoji } of queue) {
      const svg = icons.get(designer)?.(emoji, PICTURE_SIZE) ?? '';
      const png = await sharp(Buffer.from(svg))
        .flatten({ background: '#ffffff' })
        .toColourspace('srgb')
        .png()
        .toBuffer();
      await writeFile(join(folder, path), png);
    }
  };
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, draw));
  return plan;
}
