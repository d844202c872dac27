/** Ends included. */
export interface ValueRange {
  readonly min: number;
  readonly max: number;
}

/** By how much colours vary, as torchvision's ColorJitter takes it. */
export interface ColorJitter {
  /** b: the factor lies between max(0, 1 - b) and 1 + b. So do those of contrast and saturation. */
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  /** Turns of the hue to either side, at most 1/2. */
  readonly hue: number;
}

/**
 * How training pictures vary; the parameters' meaning is that of torchvision's transforms of the names given. Applied in the order
 * of the fields, ColorJitter's four adjustments in random order. Plain data, stored with the run.
 */
export interface AugmentationPolicy {
  /**
   * RandomResizedCrop: the crop's share of the picture's area and its ratio of width to height. The ratio is that of the picture
   * as the network sees it, squeezed to its input's shape. Null: the part that validation sees.
   */
  readonly randomResizedCrop: { readonly scale: ValueRange; readonly ratio: ValueRange } | null;
  /** RandomHorizontalFlip, RandomVerticalFlip: the probability. */
  readonly horizontalFlip: number;
  readonly verticalFlip: number;
  /** RandomAffine's `degrees`: largest angle to either side. */
  readonly rotation: number;
  /** RandomAffine's `translate`: largest shift to either side as a fraction of width and height; shifts are whole pixels. */
  readonly translation: { readonly horizontal: number; readonly vertical: number };
  /** RandomAffine's `shear`: largest angles to either side, parallel to the x and the y axis, in degrees. */
  readonly shear: { readonly horizontal: number; readonly vertical: number };
  /** Shown where a turned, shifted or sheared picture has nothing: RGB, 0 to 255. */
  readonly fill: readonly [number, number, number];
  readonly colorJitter: ColorJitter | null;
  /** RandomGrayscale: the probability. */
  readonly grayscale: number;
  /** RandomErasing, after normalisation, hence a `value` of 0 is the mean colour. */
  readonly randomErasing: {
    readonly probability: number;
    readonly scale: ValueRange;
    readonly ratio: ValueRange;
    readonly value: number;
  } | null;
  /**
   * MixUp and CutMix with the previous picture of the batch: alpha of the Beta(alpha, alpha) distribution of the share; 0 is off.
   * With both, each picture has one of them, with equal probability. Shares are drawn for each picture.
   */
  readonly mixup: number;
  readonly cutmix: number;
}

export const NO_AUGMENTATION: AugmentationPolicy = {
  randomResizedCrop: null,
  horizontalFlip: 0,
  verticalFlip: 0,
  rotation: 0,
  translation: { horizontal: 0, vertical: 0 },
  shear: { horizontal: 0, vertical: 0 },
  fill: [0, 0, 0],
  colorJitter: null,
  grayscale: 0,
  randomErasing: null,
  mixup: 0,
  cutmix: 0,
};

/** A policy whose missing parts are off. Throws nothing: `augmentationProblems` tells what is wrong with the rest. */
export function completePolicy(given: Partial<AugmentationPolicy>): AugmentationPolicy {
  const defined = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...NO_AUGMENTATION, ...Object.fromEntries(defined) };
}

/** What each number allows, ends included, by its path. */
export const AUGMENTATION_RANGES = {
  'randomResizedCrop.scale.min': { min: 0.001, max: 1 },
  'randomResizedCrop.scale.max': { min: 0.001, max: 1 },
  'randomResizedCrop.ratio.min': { min: 0.05, max: 20 },
  'randomResizedCrop.ratio.max': { min: 0.05, max: 20 },
  horizontalFlip: { min: 0, max: 1 },
  verticalFlip: { min: 0, max: 1 },
  rotation: { min: 0, max: 180 },
  'translation.horizontal': { min: 0, max: 1 },
  'translation.vertical': { min: 0, max: 1 },
  'shear.horizontal': { min: 0, max: 60 },
  'shear.vertical': { min: 0, max: 60 },
  'fill.0': { min: 0, max: 255 },
  'fill.1': { min: 0, max: 255 },
  'fill.2': { min: 0, max: 255 },
  'colorJitter.brightness': { min: 0, max: 10 },
  'colorJitter.contrast': { min: 0, max: 10 },
  'colorJitter.saturation': { min: 0, max: 10 },
  'colorJitter.hue': { min: 0, max: 0.5 },
  grayscale: { min: 0, max: 1 },
  'randomErasing.probability': { min: 0, max: 1 },
  'randomErasing.scale.min': { min: 0, max: 1 },
  'randomErasing.scale.max': { min: 0, max: 1 },
  'randomErasing.ratio.min': { min: 0.05, max: 20 },
  'randomErasing.ratio.max': { min: 0.05, max: 20 },
  'randomErasing.value': { min: -10, max: 10 },
  mixup: { min: 0, max: 100 },
  cutmix: { min: 0, max: 100 },
} as const satisfies Readonly<Record<string, ValueRange>>;

/** Parts of a policy that may be null. */
const OPTIONAL: ReadonlySet<string> = new Set(['randomResizedCrop', 'colorJitter', 'randomErasing']);

/** Where each range with two ends lies. */
const RANGES = ['randomResizedCrop.scale', 'randomResizedCrop.ratio', 'randomErasing.scale', 'randomErasing.ratio'];

/** What is wrong with a policy, in words; empty where nothing is. */
export function augmentationProblems(policy: AugmentationPolicy): string[] {
  const at = (path: string): unknown =>
    path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | null)?.[key], policy);
  const isLeftOut = (path: string): boolean => {
    const part = path.split('.')[0] as string;
    return OPTIONAL.has(part) && at(part) === null;
  };
  const known = Object.keys(NO_AUGMENTATION);
  const problems = Object.keys(policy)
    .filter((key) => !known.includes(key))
    .map((key) => `augmentation.${key} is unknown; known are ${known.join(', ')}`);
  for (const [path, { min, max }] of Object.entries<ValueRange>(AUGMENTATION_RANGES)) {
    const value = at(path);
    if (isLeftOut(path) || (typeof value === 'number' && value >= min && value <= max)) continue;
    problems.push(`augmentation.${path} is ${String(value)}; allowed is a number from ${min} to ${max}`);
  }
  for (const path of RANGES) {
    const range = at(path) as ValueRange | undefined;
    if (range && range.min > range.max) {
      problems.push(`augmentation.${path} goes from ${range.min} to ${range.max}; min may not be above max`);
    }
  }
  return problems;
}
