import { pad as padOp } from '../../kernels/ops/pad/pad.js';
import type { ResizeCoordinates } from '../../kernels/ops/resize/coordinates.js';
import { type NearestRounding, resize as resizeOp } from '../../kernels/ops/resize/resize.js';
import { zeroPad as zeroPadOp } from '../../kernels/ops/zeroPad/zeroPad.js';
import type { LayerBase, Padding } from '../network.js';
import { asMap, checkAxis, define, fail, ONE_INPUT, show } from './definition.js';
import { anyNumber, axis, list, oneOf, orNull, padding, pair, position, positive, side } from './fields.js';
import { inRows } from './layout.js';

/** Zeros around each map; a convolution behind it takes it over (see `simplify`). */
export interface ZeroPadLayer extends LayerBase {
  readonly kind: 'zeroPad';
  readonly padding: Padding;
}

export const zeroPad = define<ZeroPadLayer>({
  kind: 'zeroPad',
  inputs: ONE_INPUT,
  fields: { padding },
  shape(layer, [input]) {
    const [n, channels, height, width] = asMap(layer, input);
    const { top, bottom, left, right } = layer.padding;
    return [n, channels, height + top + bottom, width + left + right];
  },
  build: ({ b }, layer, [x]) => zeroPadOp(b, inRows(b, x), layer.padding),
});

/** Any other padding: along any axis, with a value, mirrored, repeated at the edge or as a whole; constant padding may be negative and then cuts. */
export interface PadLayer extends LayerBase {
  readonly kind: 'pad';
  readonly axes: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly mode: 'constant' | 'reflect' | 'edge' | 'wrap';
  /** Of the constant border; 0 for the other modes. */
  readonly value: number;
}

export const pad = define<PadLayer>({
  kind: 'pad',
  inputs: ONE_INPUT,
  fields: {
    axes: list(axis),
    before: list(position),
    after: list(position),
    mode: oneOf('constant', 'reflect', 'edge', 'wrap'),
    value: anyNumber,
  },
  shape(layer, [input]) {
    const { axes, before, after, mode } = layer;
    if (before.length !== axes.length || after.length !== axes.length || new Set(axes).size !== axes.length) {
      fail(layer, 'axes (each once), before and after must have one length.');
    }
    const shape = [...input];
    axes.forEach((along, index) => {
      checkAxis(layer, along, input);
      const size = input[along] as number;
      const [front, behind] = [before[index] as number, after[index] as number];
      const reach = mode === 'reflect' ? size - 1 : Number.POSITIVE_INFINITY;
      if ((mode !== 'constant' && Math.min(front, behind) < 0) || Math.max(front, behind) > reach) {
        fail(
          layer,
          `${mode} padding by ${front} and ${behind} does not fit axis ${along} of its input ${show(input)}.`,
        );
      }
      shape[along] = size + front + behind;
    });
    return shape;
  },
  build({ b }, layer, [x]) {
    const paddings = layer.axes.map((along, index) => ({
      axis: along,
      before: layer.before[index] as number,
      after: layer.after[index] as number,
    }));
    return padOp(b, x, paddings, { border: layer.mode, value: layer.value });
  },
});

/** Maps at another size: nearest pixel or bilinear, in ONNX's terms. */
export interface ResizeLayer extends LayerBase {
  readonly kind: 'resize';
  readonly size: readonly [height: number, width: number];
  /** The scales that places are computed with, where they are not the quotients of the sizes. */
  readonly scale: readonly [height: number, width: number] | null;
  readonly mode: 'nearest' | 'linear';
  readonly coordinates: ResizeCoordinates;
  /** Of `nearest`. */
  readonly rounding: NearestRounding;
}

export const resize = define<ResizeLayer>({
  kind: 'resize',
  inputs: ONE_INPUT,
  fields: {
    size: pair(side),
    scale: orNull(pair(positive)),
    mode: oneOf('nearest', 'linear'),
    coordinates: oneOf('half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric', 'tf_half_pixel_for_nn'),
    rounding: oneOf('floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'),
  },
  shape(layer, [input]) {
    const [n, channels] = asMap(layer, input);
    return [n, channels, ...layer.size];
  },
  build({ b }, { size, scale, mode, coordinates, rounding }, [x]) {
    const options = { size, mode, coordinates, ...(scale && { scale }), ...(mode === 'nearest' && { rounding }) };
    return resizeOp(b, inRows(b, x), options);
  },
});
