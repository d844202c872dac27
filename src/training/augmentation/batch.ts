import { augmentationTable } from '../../kernels/ops/augment/parameters.js';
import type { AugmentationPolicy } from './policy.js';
import { type AugmentationSizes, drawAugmentation } from './sample.js';

export interface AugmentedBatch {
  /** For `augmentPictures`. */
  readonly table: Float32Array<ArrayBuffer>;
  /** Each picture's part of its own target; the rest is its partner's. 1 where nothing is mixed. */
  readonly shares: readonly number[];
}

/** The picture that is mixed into picture `index` of a batch: the previous one, around the end, as torchvision's MixUp and CutMix. */
export const partnerOf = (index: number, count: number): number => (index + count - 1) % count;

/** What a policy does to the pictures of a batch in an epoch. */
export function drawBatch(
  policy: AugmentationPolicy,
  sizes: AugmentationSizes,
  key: { readonly seed: number; readonly epoch: number; readonly pictures: readonly string[] },
): AugmentedBatch {
  const { seed, epoch, pictures } = key;
  const drawn = pictures.map((picture) => drawAugmentation(policy, sizes, { seed, epoch, picture }));
  const table = augmentationTable(
    drawn.map(({ mix, ...rest }, index) => ({
      ...rest,
      mix: mix && { partner: partnerOf(index, pictures.length), own: mix.own, pasted: mix.pasted },
    })),
  );
  return { table, shares: drawn.map(({ mix }) => mix?.share ?? 1) };
}

/** Targets [N, classes] of a batch whose pictures are mixed. A label that is no class gives a target of zeros. */
export function mixedTargets(
  labels: ArrayLike<number>,
  shares: readonly number[],
  classes: number,
): Float32Array<ArrayBuffer> {
  const targets = new Float32Array(shares.length * classes);
  const add = (index: number, label: number, share: number) => {
    const at = index * classes + label;
    if (label < classes) targets[at] = (targets[at] as number) + share;
  };
  shares.forEach((share, index) => {
    add(index, labels[index] as number, share);
    add(index, labels[partnerOf(index, shares.length)] as number, 1 - share);
  });
  return targets;
}
