/** Left and top edge inside, right and bottom edge outside, in pixels. */
export interface PixelBox {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export type Adjustment = 'brightness' | 'contrast' | 'saturation' | 'hue';

/** What is done to one picture of a batch, in this order. `IDENTITY` holds what does nothing. */
export interface PictureAugmentation {
  /** Part of the source picture, whole pixels, that is resized to the canvas: the network's input size. */
  readonly crop: PixelBox;
  /**
   * Output pixel -> canvas pixel, both counted from the centre of the first one: x' = m[0] x + m[1] y + m[2],
   * y' = m[3] x + m[4] y + m[5].
   */
  readonly inverse: readonly [number, number, number, number, number, number];
  /** Factors as torchvision's `adjust_*` take them: 1 keeps brightness, contrast and saturation, 0 (turns) keeps the hue. */
  readonly colour: Readonly<Record<Adjustment, number>>;
  /** In which the four adjustments are made. */
  readonly colourOrder: readonly [Adjustment, Adjustment, Adjustment, Adjustment];
  readonly greyscale: boolean;
  /** A box of the output that is overwritten after normalisation, with a value for each of the network's channels. */
  readonly erase: { readonly box: PixelBox; readonly value: readonly [number, number, number] } | null;
  /**
   * Another picture of the batch, by its place, finished as its own row says but not mixed itself: `own` of this picture
   * and 1 - own of the partner; inside `pasted`, the partner alone.
   */
  readonly mix: { readonly partner: number; readonly own: number; readonly pasted: PixelBox | null } | null;
}

const ADJUSTMENTS: readonly Adjustment[] = ['brightness', 'contrast', 'saturation', 'hue'];

export const IDENTITY: Omit<PictureAugmentation, 'crop'> = {
  inverse: [1, 0, 0, 0, 1, 0],
  colour: { brightness: 1, contrast: 1, saturation: 1, hue: 0 },
  colourOrder: ['brightness', 'contrast', 'saturation', 'hue'],
  greyscale: false,
  erase: null,
  mix: null,
};

/** Numbers a picture in the table that `augmentPictures` reads. */
export const AUGMENTATION_COLUMNS = 32;

/** The table of a batch, [N, AUGMENTATION_COLUMNS]. */
export function augmentationTable(batch: readonly PictureAugmentation[]): Float32Array<ArrayBuffer> {
  const table = new Float32Array(batch.length * AUGMENTATION_COLUMNS);
  batch.forEach((picture, index) => {
    table.set(augmentationRow(picture, index), index * AUGMENTATION_COLUMNS);
  });
  return table;
}

const corners = (box: PixelBox | null | undefined): number[] =>
  box ? [box.left, box.top, box.right, box.bottom] : [0, 0, 0, 0];

/** Eight groups of four, as warp.wgsl, greyMeans.wgsl and finish.wgsl read them. */
function augmentationRow(picture: PictureAugmentation, index: number): number[] {
  const { crop, inverse, colour, colourOrder, greyscale, erase, mix } = picture;
  const [xx, xy, x, yx, yy, y] = inverse;
  const [red, green, blue] = erase?.value ?? [0, 0, 0];
  return [
    xx,
    xy,
    x,
    crop.left,
    yx,
    yy,
    y,
    crop.top,
    crop.right - crop.left,
    crop.bottom - crop.top,
    mix?.own ?? 1,
    mix?.partner ?? index,
    ...ADJUSTMENTS.map((adjustment) => colour[adjustment]),
    ...colourOrder.map((adjustment) => ADJUSTMENTS.indexOf(adjustment)),
    ...corners(erase?.box),
    red,
    green,
    blue,
    greyscale ? 1 : 0,
    ...corners(mix?.pasted),
  ];
}
