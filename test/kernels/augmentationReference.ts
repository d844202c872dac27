import type { Augmentation } from '../../src/kernels/ops/augment/augment.js';
import type { PictureAugmentation, PixelBox } from '../../src/kernels/ops/augment/parameters.js';

type Colour = [number, number, number];

const inBox = (box: PixelBox | null | undefined, x: number, y: number): boolean =>
  !!box && x >= box.left && x < box.right && y >= box.top && y < box.bottom;

const grey = ([r, g, b]: Colour): number => 0.2989 * r + 0.587 * g + 0.114 * b;
const clamp = (value: number): number => Math.min(1, Math.max(0, value));
const blend = (a: Colour, b: Colour, factor: number): Colour =>
  a.map((value, c) => clamp(factor * value + (1 - factor) * (b[c] as number))) as Colour;

/** Python's colorsys.rgb_to_hsv and hsv_to_rgb around a turn of the hue. */
function turnHue([r, g, b]: Colour, turns: number): Colour {
  const value = Math.max(r, g, b);
  const smallest = Math.min(r, g, b);
  if (value === smallest) return [r, g, b];
  const saturation = (value - smallest) / value;
  const [rc, gc, bc] = [r, g, b].map((channel) => (value - channel) / (value - smallest)) as Colour;
  const sixths = r === value ? bc - gc : g === value ? 2 + rc - bc : 4 + gc - rc;
  const hue = sixths / 6 + turns;
  const turned = hue - Math.floor(hue);
  const sector = Math.floor(turned * 6);
  const f = turned * 6 - sector;
  const p = value * (1 - saturation);
  const q = value * (1 - saturation * f);
  const t = value * (1 - saturation * (1 - f));
  const sectors: Colour[] = [
    [value, t, p],
    [q, value, p],
    [p, value, t],
    [p, q, value],
    [t, p, value],
    [value, p, q],
  ];
  return sectors[sector % 6] as Colour;
}

/** Weights of the pixels [from, to) around `centre` by a triangle of half-width `support`, normalised. */
function weights(centre: number, support: number, from: number, to: number): Map<number, number> {
  const found = new Map<number, number>();
  let total = 0;
  for (let i = from; i < to; i++) {
    const weight = Math.max(0, 1 - Math.abs(i + 0.5 - centre) / support);
    if (weight > 0) found.set(i, weight);
    total += weight;
  }
  return new Map([...found].map(([i, weight]) => [i, weight / total]));
}

const overlap = (position: number, size: number): number => clamp(Math.min(position + 1, size - position));

function warp(
  pixel: (x: number, y: number) => Colour,
  { crop, inverse }: PictureAugmentation,
  { height, width, fill }: Augmentation,
): Colour[] {
  const [a, b, c, d, e, f] = inverse;
  const scaleX = (crop.right - crop.left) / width;
  const scaleY = (crop.bottom - crop.top) / height;
  const supportX = Math.max(1, scaleX);
  const supportY = Math.max(1, scaleY);
  const limit = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
  const result: Colour[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const canvasX = a * x + b * y + c;
      const canvasY = d * x + e * y + f;
      const inside = overlap(canvasX, width) * overlap(canvasY, height);
      const centreX = limit(crop.left + (canvasX + 0.5) * scaleX, crop.left, crop.right);
      const centreY = limit(crop.top + (canvasY + 0.5) * scaleY, crop.top, crop.bottom);
      const sum: Colour = fill.map((value) => (1 - inside) * value) as Colour;
      for (const [sy, wy] of weights(centreY, supportY, crop.top, crop.bottom)) {
        for (const [sx, wx] of weights(centreX, supportX, crop.left, crop.right)) {
          pixel(sx, sy).forEach((value, channel) => {
            sum[channel] = (sum[channel] as number) + inside * wy * wx * value;
          });
        }
      }
      result.push(sum.map((value) => value / 255) as Colour);
    }
  }
  return result;
}

function recolour(picture: Colour[], { colour, colourOrder, greyscale }: PictureAugmentation): Colour[] {
  let pixels = picture;
  for (const adjustment of colourOrder) {
    const factor = colour[adjustment];
    const mean = pixels.reduce((sum, rgb) => sum + grey(rgb), 0) / pixels.length;
    pixels = pixels.map((rgb) => {
      if (adjustment === 'hue') return turnHue(rgb, factor);
      const other = adjustment === 'brightness' ? 0 : adjustment === 'contrast' ? mean : grey(rgb);
      return blend(rgb, [other, other, other], factor);
    });
  }
  return greyscale ? pixels.map((rgb) => [grey(rgb), grey(rgb), grey(rgb)]) : pixels;
}

/** What `augmentPictures` says that it computes, in float64 and one step after the other; logical order [N, 3, h, w]. */
export function augmentationReference(
  bytes: Uint8Array,
  [sourceHeight, sourceWidth]: readonly [number, number],
  batch: readonly PictureAugmentation[],
  options: Augmentation,
): Float64Array {
  const { height, width, channelOrder, scale, mean, std } = options;
  const finished = batch.map((augmentation, n) => {
    const at = (x: number, y: number): Colour => {
      const i = ((n * sourceHeight + y) * sourceWidth + x) * 3;
      return [bytes[i], bytes[i + 1], bytes[i + 2]] as Colour;
    };
    const coloured = recolour(warp(at, augmentation, options), augmentation);
    return coloured.map((rgb, i): Colour => {
      const { erase } = augmentation;
      if (erase && inBox(erase.box, i % width, Math.floor(i / width))) return [...erase.value];
      const ordered = channelOrder === 'BGR' ? rgb.toReversed() : rgb;
      return ordered.map((v, c) => ((v * 255) / scale - (mean[c] as number)) / (std[c] as number)) as Colour;
    });
  });
  const channels = channelOrder === 'GREY' ? 1 : 3;
  const result = new Float64Array(batch.length * channels * height * width);
  batch.forEach(({ mix }, n) => {
    for (let i = 0; i < height * width; i++) {
      const own = !mix ? 1 : inBox(mix.pasted, i % width, Math.floor(i / width)) ? 0 : mix.own;
      const colours = finished[n]?.[i] as Colour;
      const partner = finished[mix?.partner ?? n]?.[i] as Colour;
      const mixed = colours.map((value, c) => own * value + (1 - own) * (partner[c] as number)) as Colour;
      const values = channels === 3 ? mixed : [0.299 * mixed[0] + 0.587 * mixed[1] + 0.114 * mixed[2]];
      values.forEach((value, c) => {
        result[(n * channels + c) * height * width + i] = value;
      });
    }
  });
  return result;
}
