import type { PixelBox } from '../../kernels/ops/augment/parameters.js';
import { type RandomStream, randomInteger, uniform } from './random.js';
import type { ValueRange } from './policy.js';

export interface PictureSize {
  readonly height: number;
  readonly width: number;
}

/** Output pixel -> input pixel, both counted from the centre of the first one: x' = a x + b y + c, y' = d x + e y + f. */
export type AffineMap = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** The map that does `second` after `first`. */
const composed = (second: AffineMap, first: AffineMap): AffineMap => {
  const [a, b, c, d, e, f] = second;
  const [g, h, i, j, k, l] = first;
  return [a * g + b * j, a * h + b * k, a * i + b * l + c, d * g + e * j, d * h + e * k, d * i + e * l + f];
};

export interface AffineParameters {
  /** Clockwise. */
  readonly degrees: number;
  /** Pixels. */
  readonly translation: { readonly horizontal: number; readonly vertical: number };
  /** Degrees. */
  readonly shear: { readonly horizontal: number; readonly vertical: number };
  /** Before the rest. */
  readonly flip: { readonly horizontal: boolean; readonly vertical: boolean };
}

/**
 * The inverse of torchvision's `affine` about the picture's centre (functional._get_inverse_affine_matrix): picture = translation
 * * rotation * shear along y * shear along x; then the flips are undone.
 */
export function inverseMap(parameters: AffineParameters, { height, width }: PictureSize): AffineMap {
  const { degrees, translation, shear, flip } = parameters;
  const radians = Math.PI / 180;
  const angle = degrees * radians;
  const [sx, sy] = [shear.horizontal * radians, shear.vertical * radians];
  // The forward matrix has determinant 1, so that its inverse is its adjugate.
  const a = Math.cos(angle - sy) / Math.cos(sy);
  const b = -a * Math.tan(sx) - Math.sin(angle);
  const c = Math.sin(angle - sy) / Math.cos(sy);
  const d = -c * Math.tan(sx) + Math.cos(angle);
  const [centreX, centreY] = [(width - 1) / 2, (height - 1) / 2];
  const toCentre: AffineMap = [1, 0, -centreX - translation.horizontal, 0, 1, -centreY - translation.vertical];
  const back: AffineMap = [1, 0, centreX, 0, 1, centreY];
  const turned = composed(back, composed([d, -b, 0, -c, a, 0], toCentre));
  const unflip: AffineMap = [
    flip.horizontal ? -1 : 1,
    0,
    flip.horizontal ? width - 1 : 0,
    0,
    flip.vertical ? -1 : 1,
    flip.vertical ? height - 1 : 0,
  ];
  return composed(unflip, turned);
}

/** Tries before RandomResizedCrop falls back to the centre and RandomErasing gives up. */
const TRIES = 10;

function randomSize(random: RandomStream, area: number, scale: ValueRange, ratio: ValueRange) {
  const pixels = area * uniform(random, scale.min, scale.max);
  const aspect = Math.exp(uniform(random, Math.log(ratio.min), Math.log(ratio.max)));
  return { pixels, aspect };
}

/** torchvision's RandomResizedCrop.get_params. */
export function randomCrop(
  random: RandomStream,
  { height, width }: PictureSize,
  scale: ValueRange,
  ratio: ValueRange,
): PixelBox {
  for (let i = 0; i < TRIES; i++) {
    const { pixels, aspect } = randomSize(random, height * width, scale, ratio);
    const w = Math.round(Math.sqrt(pixels * aspect));
    const h = Math.round(Math.sqrt(pixels / aspect));
    if (w < 1 || w > width || h < 1 || h > height) continue;
    const top = randomInteger(random, height - h + 1);
    const left = randomInteger(random, width - w + 1);
    return { left, top, right: left + w, bottom: top + h };
  }
  const own = width / height;
  const w = own > ratio.max ? Math.round(height * ratio.max) : width;
  const h = own < ratio.min ? Math.round(width / ratio.min) : height;
  return centralBox({ height, width }, { height: h, width: w });
}

/** The box of size `inner`, at least one pixel, in the middle. */
export function centralBox({ height, width }: PictureSize, inner: PictureSize): PixelBox {
  const [h, w] = [Math.max(1, inner.height), Math.max(1, inner.width)];
  const left = Math.floor((width - w) / 2);
  const top = Math.floor((height - h) / 2);
  return { left, top, right: left + w, bottom: top + h };
}

/** torchvision's RandomErasing.get_params: a box smaller than the picture, or null where ten tries gave none. */
export function randomErasedBox(
  random: RandomStream,
  { height, width }: PictureSize,
  scale: ValueRange,
  ratio: ValueRange,
): PixelBox | null {
  for (let i = 0; i < TRIES; i++) {
    const { pixels, aspect } = randomSize(random, height * width, scale, ratio);
    const h = Math.round(Math.sqrt(pixels * aspect));
    const w = Math.round(Math.sqrt(pixels / aspect));
    if (h >= height || w >= width) continue;
    const top = randomInteger(random, height - h + 1);
    const left = randomInteger(random, width - w + 1);
    return { left, top, right: left + w, bottom: top + h };
  }
  return null;
}

/** torchvision's CutMix: a box of about (1 - share) of the area around a uniform centre, cut off at the borders. */
export function randomPastedBox(random: RandomStream, { height, width }: PictureSize, share: number): PixelBox {
  const centreX = randomInteger(random, width);
  const centreY = randomInteger(random, height);
  const half = 0.5 * Math.sqrt(1 - share);
  const [halfWidth, halfHeight] = [Math.floor(half * width), Math.floor(half * height)];
  return {
    left: Math.max(0, centreX - halfWidth),
    top: Math.max(0, centreY - halfHeight),
    right: Math.min(width, centreX + halfWidth),
    bottom: Math.min(height, centreY + halfHeight),
  };
}
