import type { Layer, LayerBase, LayerKind } from '../network.js';
import { activation, prelu } from './activation.js';
import { channelShuffle, concat, expand, flatten, reshape, slice, transpose } from './arrangement.js';
import { conv2d, convTranspose2d } from './convolution.js';
import type { LayerDefinition } from './definition.js';
import { dense, dense2d } from './dense.js';
import { add, binary, dropout, stochasticDepth, unary } from './elementwise.js';
import type { Field, WeightRole } from './fields.js';
import { input, parameter } from './input.js';
import { batchNorm, channelNorm, groupNorm, l2Normalize, layerNorm, localResponseNorm } from './norms.js';
import { cumulativeSum, roundTo } from './numbers.js';
import { adaptiveAveragePool, averagePool, globalAveragePool, maxPool, maxPoolIndices } from './pooling.js';
import { logSoftmax, matmul, reduce, softmax } from './reduction.js';
import { argExtreme, gather, gatherElements, topK, where } from './selection.js';
import { pad, resize, zeroPad } from './spatial.js';
import { conv3d, convTranspose3d } from './volume.js';

/** Every kind of layer. */
const DEFINITIONS: { readonly [K in LayerKind]: LayerDefinition<Extract<Layer, { readonly kind: K }>> } = {
  input,
  parameter,
  conv2d,
  dense,
  dense2d,
  batchNorm,
  layerNorm,
  channelNorm,
  groupNorm,
  localResponseNorm,
  l2Normalize,
  activation,
  prelu,
  maxPool,
  averagePool,
  globalAveragePool,
  adaptiveAveragePool,
  add,
  binary,
  unary,
  dropout,
  stochasticDepth,
  concat,
  flatten,
  reshape,
  transpose,
  slice,
  expand,
  channelShuffle,
  zeroPad,
  pad,
  resize,
  reduce,
  softmax,
  logSoftmax,
  matmul,
  convTranspose2d,
  conv3d,
  convTranspose3d,
  maxPoolIndices,
  where,
  gather,
  gatherElements,
  argExtreme,
  topK,
  roundTo,
  cumulativeSum,
};

export const LAYER_KINDS = Object.keys(DEFINITIONS) as LayerKind[];

/** A definition as one that takes any layer: it is only ever given those of its kind. */
type AnyDefinition = LayerDefinition<LayerBase & { readonly kind: string }>;

export const definitionOf = (kind: LayerKind): AnyDefinition => DEFINITIONS[kind] as unknown as AnyDefinition;

export interface NamedWeight {
  readonly field: string;
  readonly name: string;
  readonly role: WeightRole;
}

/** The weights that a layer names, in the order of its fields. */
export function namedWeights(layer: Layer): NamedWeight[] {
  const fields = Object.entries(definitionOf(layer.kind).fields as Readonly<Record<string, Field<unknown>>>);
  return fields.flatMap(([field, { role }]) => {
    const name = role && ((layer as unknown as Record<string, unknown>)[field] as string | null);
    return role && name !== null && name !== undefined ? [{ field, name, role }] : [];
  });
}
