import { cumulativeSum as cumulativeSumOp } from '../../kernels/ops/cumulativeSum/cumulativeSum.js';
import { NUMBER_TYPES, type NumberType } from '../../kernels/ops/roundTo/numberTypes.js';
import { roundTo as roundToOp } from '../../kernels/ops/roundTo/roundTo.js';
import type { LayerBase } from '../network.js';
import { checkAxis, define, ONE_INPUT } from './definition.js';
import { axis, flag, oneOf } from './fields.js';
import { inDense } from './layout.js';

/** The values that a number type makes of its input; they go on as float32. */
export interface RoundToLayer extends LayerBase {
  readonly kind: 'roundTo';
  readonly type: NumberType;
  /** Values out of the type's range become the nearest one in it; else an infinity or NaN, or integers modulo 2^bits. */
  readonly saturate: boolean;
  /** Of float8e8m0, which holds powers of two. */
  readonly powers: 'up' | 'down' | 'nearest';
}

export const roundTo = define<RoundToLayer>({
  kind: 'roundTo',
  inputs: ONE_INPUT,
  fields: { type: oneOf(...NUMBER_TYPES), saturate: flag, powers: oneOf('up', 'down', 'nearest') },
  shape: (_, [input]) => [...input],
  build: ({ b }, layer, [x]) => roundToOp(b, x, layer),
});

/** Sums of all values up to each one along an axis. */
export interface CumulativeSumLayer extends LayerBase {
  readonly kind: 'cumulativeSum';
  readonly axis: number;
  /** Without the value itself. */
  readonly exclusive: boolean;
  /** From the end. */
  readonly reverse: boolean;
}

export const cumulativeSum = define<CumulativeSumLayer>({
  kind: 'cumulativeSum',
  inputs: ONE_INPUT,
  fields: { axis, exclusive: flag, reverse: flag },
  shape(layer, [input]) {
    checkAxis(layer, layer.axis, input);
    return [...input];
  },
  build: ({ b }, layer, [x]) => cumulativeSumOp(b, inDense(b, x), layer),
});
