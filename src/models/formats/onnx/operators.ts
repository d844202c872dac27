import { ACTIVATIONS } from './activations.js';
import { ARRANGEMENTS } from './arrangement.js';
import type { Converter, Converters } from './converter.js';
import { CONVOLUTIONS } from './convolution.js';
import { ELEMENTWISE } from './elementwise.js';
import { LINEAR } from './linear.js';
import { LOSSES } from './losses.js';
import { NORMS } from './norms.js';
import { POOLINGS } from './pooling.js';
import { QUANTIZATIONS } from './quantization.js';
import { REDUCTIONS } from './reduction.js';
import { RESIZES } from './resize.js';
import { castTo, SELECTIONS } from './selection.js';
import { valueType } from './types.js';

const cast: Converter = (op) => {
  const to = valueType(op.int('to', 1));
  return to ? op.value(castTo(op, op.layer(), to), to) : op.problem(`to = ${op.int('to', 1)}`);
};

const castLike: Converter = (op) => op.value(castTo(op, op.layer(), op.type(1)), op.type(1));

/** How each operator becomes layers. */
export const CONVERTERS: Converters = {
  ...ELEMENTWISE,
  ...ACTIVATIONS,
  ...CONVOLUTIONS,
  ...LINEAR,
  ...POOLINGS,
  ...NORMS,
  ...REDUCTIONS,
  ...ARRANGEMENTS,
  ...RESIZES,
  ...SELECTIONS,
  ...QUANTIZATIONS,
  ...LOSSES,
  Cast: cast,
  CastLike: castLike,
};

/** Attributes whose other values Graft has no layer for; checked for every node, so that one error lists them all. */
export const ALLOWED_VALUES: Readonly<Record<string, Readonly<Record<string, readonly (number | string)[]>>>> = {
  Conv: { auto_pad: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] },
  ConvTranspose: { auto_pad: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] },
  MaxPool: { auto_pad: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] },
  AveragePool: { auto_pad: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] },
  LpPool: { auto_pad: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] },
  Gelu: { approximate: ['none', 'tanh'] },
  DepthToSpace: { mode: ['DCR', 'CRD'] },
  NegativeLogLikelihoodLoss: { reduction: ['none', 'sum', 'mean'] },
  SoftmaxCrossEntropyLoss: { reduction: ['none', 'sum', 'mean'] },
};
