import type { Adjustment, PictureAugmentation, PixelBox } from '../../kernels/ops/augment/parameters.js';
import { centralBox, inverseMap, type PictureSize, randomCrop, randomErasedBox, randomPastedBox } from './geometry.js';
import type { AugmentationPolicy } from './policy.js';
import { beta, type RandomStream, randomInteger, randomStream, uniform } from './random.js';

/** Sizes that a policy's parameters are drawn for. */
export interface AugmentationSizes {
  /** Of the decoded picture. */
  readonly source: PictureSize;
  /** The central part of it that is seen where nothing crops at random. */
  readonly central: PictureSize;
  /** Of the network's input. */
  readonly target: PictureSize;
}

export interface DrawnAugmentation extends Omit<PictureAugmentation, 'mix'> {
  /** How it is mixed with its partner: `own` of it, none inside `pasted`. `share` is its part of the target. */
  readonly mix: { readonly own: number; readonly pasted: PixelBox | null; readonly share: number } | null;
}

/** Each decision has random numbers of its own, so that switching one augmentation on leaves the others as they were. */
const DECISIONS = { crop: 0, flip: 1, affine: 2, colour: 3, greyscale: 4, erase: 5, mix: 6 } as const;

/** What a policy does to a picture in an epoch: the same for the same seed, epoch and picture, whatever else is in its batch. */
export function drawAugmentation(
  policy: AugmentationPolicy,
  sizes: AugmentationSizes,
  key: { readonly seed: number; readonly epoch: number; readonly picture: string },
): DrawnAugmentation {
  const stream = (decision: number) => randomStream(key.seed, key.epoch, key.picture, decision);
  const { randomResizedCrop: cropping, grayscale } = policy;
  return {
    crop: cropping
      ? randomCrop(stream(DECISIONS.crop), sizes.source, cropping.scale, cropping.ratio)
      : centralBox(sizes.source, sizes.central),
    inverse: drawMap(policy, sizes.target, stream(DECISIONS.flip), stream(DECISIONS.affine)),
    ...drawColour(policy, stream(DECISIONS.colour)),
    greyscale: stream(DECISIONS.greyscale)() < grayscale,
    erase: drawErasing(policy, sizes.target, stream(DECISIONS.erase)),
    mix: drawMixing(policy, sizes.target, stream(DECISIONS.mix)),
  };
}

function drawMap(policy: AugmentationPolicy, target: PictureSize, flips: RandomStream, random: RandomStream) {
  const { horizontalFlip, verticalFlip, rotation, translation, shear } = policy;
  const either = (most: number) => uniform(random, -most, most);
  // `+ 0` makes 0 of -0.
  const shift = (fraction: number, size: number) => Math.round(either(fraction * size)) + 0;
  return inverseMap(
    {
      flip: { horizontal: flips() < horizontalFlip, vertical: flips() < verticalFlip },
      degrees: either(rotation),
      translation: {
        horizontal: shift(translation.horizontal, target.width),
        vertical: shift(translation.vertical, target.height),
      },
      shear: { horizontal: either(shear.horizontal), vertical: either(shear.vertical) },
    },
    target,
  );
}

function drawColour({ colorJitter }: AugmentationPolicy, random: RandomStream) {
  const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = colorJitter ?? {};
  const factor = (most: number) => uniform(random, Math.max(0, 1 - most), 1 + most);
  const colour = {
    brightness: factor(brightness),
    contrast: factor(contrast),
    saturation: factor(saturation),
    hue: uniform(random, -hue, hue),
  };
  const order: [Adjustment, Adjustment, Adjustment, Adjustment] = ['brightness', 'contrast', 'saturation', 'hue'];
  for (let last = order.length - 1; last > 0; last--) {
    const other = randomInteger(random, last + 1);
    [order[last], order[other]] = [order[other] as Adjustment, order[last] as Adjustment];
  }
  return { colour, colourOrder: order };
}

function drawErasing({ randomErasing }: AugmentationPolicy, target: PictureSize, random: RandomStream) {
  if (!randomErasing || random() >= randomErasing.probability) return null;
  const { scale, ratio, value } = randomErasing;
  const box = randomErasedBox(random, target, scale, ratio);
  return box && { box, value: [value, value, value] as const };
}

function drawMixing({ mixup, cutmix }: AugmentationPolicy, target: PictureSize, random: RandomStream) {
  if (mixup === 0 && cutmix === 0) return null;
  const choice = random();
  if (cutmix === 0 || (mixup > 0 && choice < 0.5)) {
    const own = beta(random, mixup, mixup);
    return { own, pasted: null, share: own };
  }
  const pasted = randomPastedBox(random, target, beta(random, cutmix, cutmix));
  const covered = (pasted.right - pasted.left) * (pasted.bottom - pasted.top);
  return { own: 1, pasted, share: 1 - covered / (target.width * target.height) };
}
