import { elementCount } from '../../kernels/tensor.js';
import { matmul as matmulOp } from '../../kernels/ops/matmul/matmul.js';
import {
  type ReduceAttributes,
  reduceL2,
  reduceMax,
  reduceMean,
  reduceMin,
  reduceProduct,
  reduceSum,
} from '../../kernels/ops/reduce/reduce.js';
import { logSoftmax as logSoftmaxOp, softmax as softmaxOp } from '../../kernels/ops/softmax/softmax.js';
import type { PlanBuilder } from '../../kernels/planBuilder.js';
import type { Tensor } from '../../kernels/tensor.js';
import type { LayerBase, LayerShape } from '../network.js';
import { checkAxis, define, fail, ONE_INPUT, show, type Inputs } from './definition.js';
import { added, axis, flag, list, oneOf } from './fields.js';
import { inDense } from './layout.js';

const REDUCTIONS = {
  sum: reduceSum,
  mean: reduceMean,
  product: reduceProduct,
  max: reduceMax,
  min: reduceMin,
  l2: reduceL2,
} as const;

/** Takes some axes together; they go, or stay as dimensions of size 1. */
export interface ReduceLayer extends LayerBase {
  readonly kind: 'reduce';
  readonly operator: keyof typeof REDUCTIONS;
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

export const reduce = define<ReduceLayer>({
  kind: 'reduce',
  inputs: ONE_INPUT,
  fields: { operator: oneOf('sum', 'mean', 'product', 'max', 'min', 'l2'), axes: list(axis), keepDims: flag },
  shape(layer, [input]) {
    for (const along of layer.axes) checkAxis(layer, along, input);
    return input.flatMap((size, place) => (layer.axes.includes(place) ? (layer.keepDims ? [1] : []) : [size]));
  },
  build: ({ b }, { operator, axes, keepDims }, [x]) =>
    (REDUCTIONS[operator] as (b: PlanBuilder, x: Tensor, attributes: ReduceAttributes) => Tensor)(b, x, {
      axes,
      keepDims,
    }),
});

/** exp(x) over its sum along an axis; 1, features or channels, in nearly all networks. */
export interface SoftmaxLayer extends LayerBase {
  readonly kind: 'softmax';
  readonly axis: number;
}

/** Logarithm of the softmax. */
export interface LogSoftmaxLayer extends LayerBase {
  readonly kind: 'logSoftmax';
  readonly axis: number;
}

function sameShape(layer: SoftmaxLayer | LogSoftmaxLayer, [input]: Inputs<LayerShape>): number[] {
  checkAxis(layer, layer.axis, input);
  return [...input];
}

/** Tensors in rows have their channels as the axis at hand. */
const along = (b: PlanBuilder, x: Tensor, place: number): Tensor => (place === 1 ? x : inDense(b, x));

export const softmax = define<SoftmaxLayer>({
  kind: 'softmax',
  inputs: ONE_INPUT,
  fields: { axis: added(axis, 1) },
  shape: sameShape,
  build: ({ b }, layer, [x]) => softmaxOp(b, along(b, x, layer.axis), layer.axis),
});

export const logSoftmax = define<LogSoftmaxLayer>({
  kind: 'logSoftmax',
  inputs: ONE_INPUT,
  fields: { axis },
  shape: sameShape,
  build: ({ b }, layer, [x]) => logSoftmaxOp(b, along(b, x, layer.axis), layer.axis),
});

/** Product of matrices, the last two axes of its inputs; what comes before broadcasts. */
export interface MatmulLayer extends LayerBase {
  readonly kind: 'matmul';
}

export const matmul = define<MatmulLayer>({
  kind: 'matmul',
  inputs: { least: 2, most: 2 },
  fields: {},
  shape(layer, [x, y = []]) {
    const [inner, rows] = [x.at(-1), y.at(-2)];
    if (x.length < 2 || y.length < 2 || inner !== rows) {
      fail(layer, `its inputs ${show(x)} and ${show(y)} are no matrices that can be multiplied.`);
    }
    const rank = Math.max(x.length, y.length) - 2;
    const batch = Array.from({ length: rank }, (_, place) => {
      const [a, b] = [x, y].map((shape) => shape[place - rank + shape.length - 2] ?? 1) as [number, number];
      if (a !== b && a !== 1 && b !== 1) fail(layer, `its inputs ${show(x)} and ${show(y)} do not broadcast.`);
      return Math.max(a, b);
    });
    return [...batch, x.at(-2) as number, y.at(-1) as number];
  },
  multiplyAdds: (_, [x], output) => elementCount(output) * (x.at(-1) as number),
  build: ({ b }, _, [x, y]) => matmulOp(b, inDense(b, x), inDense(b, y as Tensor)),
});
