import { add as addOp, binary as binaryOp, type BinaryKind } from '../../kernels/ops/binary/binary.js';
import { unary as unaryOp, type UnaryKind } from '../../kernels/ops/unary/unary.js';
import type { Tensor } from '../../kernels/tensor.js';
import { LIMITS } from '../limits.js';
import type { LayerBase, LayerShape } from '../network.js';
import { define, fail, ONE_INPUT, show } from './definition.js';
import { number, oneOf } from './fields.js';
import { alike } from './layout.js';

/** Sum of two or more inputs of one shape. */
export interface AddLayer extends LayerBase {
  readonly kind: 'add';
}

export const add = define<AddLayer>({
  kind: 'add',
  inputs: { least: 2, most: LIMITS.inputs },
  fields: {},
  shape(layer, inputs) {
    const [first] = inputs;
    for (const shape of inputs) {
      if (show(shape) !== show(first)) {
        fail(layer, `its inputs must have one shape; got ${inputs.map(show).join(', ')}.`);
      }
    }
    return [...first];
  },
  fusesActivation: true,
  build({ b }, _, inputs, activation) {
    const [first, ...rest] = alike(b, inputs);
    return rest.reduce(
      (sum, x, index) => addOp(b, sum, x, { activation: index === rest.length - 1 ? activation : null }),
      first,
    );
  },
});

const BINARY = [
  'add',
  'sub',
  'mul',
  'div',
  'max',
  'min',
  'pow',
  'fmod',
  'integerDiv',
  'integerPow',
  'integerMod',
  'equal',
  'less',
  'lessOrEqual',
  'greater',
  'greaterOrEqual',
  'and',
  'or',
  'xor',
] as const satisfies readonly BinaryKind[];

/** A function of two inputs, element by element, that broadcast to each other as in NumPy and ONNX. */
export interface BinaryLayer extends LayerBase {
  readonly kind: 'binary';
  readonly operator: (typeof BINARY)[number];
}

/** NumPy's rule: aligned at the last dimensions, where 1 and a missing dimension repeat. Throws INVALID_NETWORK. */
export function broadcastShapes(layer: LayerBase & { readonly kind: string }, x: LayerShape, y: LayerShape): number[] {
  const rank = Math.max(x.length, y.length);
  return Array.from({ length: rank }, (_, dimension) => {
    const [a, b] = [x, y].map((shape) => shape[dimension - rank + shape.length] ?? 1) as [number, number];
    if (a !== b && a !== 1 && b !== 1) fail(layer, `its inputs ${show(x)} and ${show(y)} do not broadcast.`);
    return Math.max(a, b);
  });
}

export const binary = define<BinaryLayer>({
  kind: 'binary',
  inputs: { least: 2, most: 2 },
  fields: { operator: oneOf(...BINARY) },
  shape: (layer, [x, y]) => broadcastShapes(layer, x, y ?? []),
  fusesActivation: true,
  build: ({ b }, { operator }, [x, y], activation) => binaryOp(b, operator, x, y as Tensor, { activation }),
});

const UNARY = [
  'exp',
  'log',
  'sqrt',
  'neg',
  'abs',
  'reciprocal',
  'erf',
  'sign',
  'floor',
  'ceil',
  'round',
  'trunc',
  'not',
  'isNaN',
  'isInf',
] as const satisfies readonly UnaryKind[];

/** A function of one variable, element by element. */
export interface UnaryLayer extends LayerBase {
  readonly kind: 'unary';
  readonly operator: (typeof UNARY)[number];
}

export const unary = define<UnaryLayer>({
  kind: 'unary',
  inputs: ONE_INPUT,
  fields: { operator: oneOf(...UNARY) },
  shape: (_, [input]) => [...input],
  build: ({ b }, { operator }, [x]) => unaryOp(b, operator, x),
});

const share = number((value) => value >= 0 && value < 1, 'at least 0 and below 1');

/** Sets random values to zero while training (Srivastava et al. 2014). */
export interface DropoutLayer extends LayerBase {
  readonly kind: 'dropout';
  readonly rate: number;
}

export const dropout = define<DropoutLayer>({
  kind: 'dropout',
  inputs: ONE_INPUT,
  fields: { rate: share },
  shape: (_, [input]) => [...input],
  build: (context, { rate }, [x]) => context.dropout(x, rate),
});

/**
 * Leaves out a residual branch while it trains (Huang et al. 2016, "Deep Networks with Stochastic Depth"): the branch's value of
 * each picture is zero with probability `rate`, else divided by 1 - rate. Nothing where it is frozen, or nothing in front trains.
 */
export interface StochasticDepthLayer extends LayerBase {
  readonly kind: 'stochasticDepth';
  readonly rate: number;
}

export const stochasticDepth = define<StochasticDepthLayer>({
  kind: 'stochasticDepth',
  inputs: ONE_INPUT,
  fields: { rate: share },
  shape: (_, [input]) => [...(input ?? [])],
  build: (context, { rate }, [x]) => (context.trains ? context.dropPictures(x, rate) : x),
});
