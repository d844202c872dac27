import type { LayerBase } from '../network.js';
import { LIMITS } from '../limits.js';
import { define } from './definition.js';
import { added, flag, integer, list, oneOf, size, weightName, anyNumber } from './fields.js';

/** Types of values at the edge of a graph; everything in between is computed in floating point. */
export const VALUE_TYPES = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'float8e8m0',
  'float4e2m1',
  'int4',
  'uint4',
  'int2',
  'uint2',
] as const;
export type ValueType = (typeof VALUE_TYPES)[number];

export interface InputLayer extends LayerBase {
  readonly kind: 'input';
  /** Without the batch where `batched`: [C, H, W] for pictures. */
  readonly shape: readonly number[];
  /** Whether a batch dimension comes first, whose size is open until the network is compiled. */
  readonly batched: boolean;
  readonly type: ValueType;
}

export const input = define<InputLayer>({
  kind: 'input',
  inputs: { least: 0, most: 0 },
  fields: { shape: list(size), batched: added(flag, true), type: added(oneOf(...VALUE_TYPES), 'float32') },
  shape: (layer) => (layer.batched ? [1, ...layer.shape] : [...layer.shape]),
});

/** A tensor of the weights as a value: a layer scale, a position, a constant of a file. It has no batch. */
export interface ParameterLayer extends LayerBase {
  readonly kind: 'parameter';
  readonly shape: readonly number[];
  readonly weight: string;
  /** What it is filled with where a network gets fresh weights. */
  readonly initial: number;
}

export const parameter = define<ParameterLayer>({
  kind: 'parameter',
  inputs: { least: 0, most: 0 },
  fields: { shape: list(integer(1, LIMITS.elementsPerTensor)), weight: weightName('weight'), initial: anyNumber },
  shape: (layer) => [...layer.shape],
  weightShapes: (layer) => ({ weight: layer.shape }),
  build: (context, layer) => context.parameter(layer.weight),
});
