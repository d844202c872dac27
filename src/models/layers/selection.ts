import { argExtreme as argExtremeOp } from '../../kernels/ops/argExtreme/argExtreme.js';
import { gather as gatherOp } from '../../kernels/ops/gather/gather.js';
import { toIndices } from '../../kernels/ops/gather/indices.js';
import { gatherElements as gatherElementsOp } from '../../kernels/ops/gatherElements/gatherElements.js';
import { topK as topKOp } from '../../kernels/ops/topK/topK.js';
import { where as whereOp } from '../../kernels/ops/where/where.js';
import { LIMITS } from '../limits.js';
import type { LayerBase } from '../network.js';
import { checkAxis, define, fail, ONE_INPUT, show } from './definition.js';
import { broadcastShapes } from './elementwise.js';
import { axis, flag, integer, oneOf } from './fields.js';
import { inDense } from './layout.js';

/** Condition, x, y: x where the condition is not 0, else y; all three broadcast. */
export interface WhereLayer extends LayerBase {
  readonly kind: 'where';
}

export const where = define<WhereLayer>({
  kind: 'where',
  inputs: { least: 3, most: 3 },
  fields: {},
  shape: (layer, [condition, x = [], y = []]) => broadcastShapes(layer, broadcastShapes(layer, condition, x), y),
  build: ({ b }, _, [condition, x, y]) => whereOp(b, condition, x as typeof condition, y as typeof condition),
});

/** Data and indices: the axis is replaced by the dimensions of the indices, which may be negative to count from the end. */
export interface GatherLayer extends LayerBase {
  readonly kind: 'gather';
  readonly axis: number;
}

export const gather = define<GatherLayer>({
  kind: 'gather',
  inputs: { least: 2, most: 2 },
  fields: { axis },
  shape(layer, [data, indices = []]) {
    checkAxis(layer, layer.axis, data);
    return [...data.slice(0, layer.axis), ...indices, ...data.slice(layer.axis + 1)];
  },
  build({ b }, layer, [data, indices]) {
    const size = data.shape[layer.axis] as number;
    return gatherOp(b, inDense(b, data), toIndices(b, inDense(b, indices as typeof data), size), layer.axis);
  },
});

/** Data and indices of one shape but for the axis: the elements of each line at the indices in the same line. */
export interface GatherElementsLayer extends LayerBase {
  readonly kind: 'gatherElements';
  readonly axis: number;
}

export const gatherElements = define<GatherElementsLayer>({
  kind: 'gatherElements',
  inputs: { least: 2, most: 2 },
  fields: { axis },
  shape(layer, [data, indices = []]) {
    checkAxis(layer, layer.axis, data);
    const others = (shape: readonly number[]) => shape.map((size, place) => (place === layer.axis ? '*' : size)).join();
    if (others(data) !== others(indices)) {
      fail(layer, `its inputs ${show(data)} and ${show(indices)} must agree in all but axis ${layer.axis}.`);
    }
    return [...indices];
  },
  build({ b }, layer, [data, indices]) {
    const size = data.shape[layer.axis] as number;
    return gatherElementsOp(b, inDense(b, data), toIndices(b, inDense(b, indices as typeof data), size), layer.axis);
  },
});

/** Place of the largest or smallest value along an axis. */
export interface ArgExtremeLayer extends LayerBase {
  readonly kind: 'argExtreme';
  readonly extreme: 'max' | 'min';
  readonly axis: number;
  readonly keepDims: boolean;
  /** Which of equal values counts. */
  readonly select: 'first' | 'last';
}

export const argExtreme = define<ArgExtremeLayer>({
  kind: 'argExtreme',
  inputs: ONE_INPUT,
  fields: { extreme: oneOf('max', 'min'), axis, keepDims: flag, select: oneOf('first', 'last') },
  shape(layer, [input]) {
    checkAxis(layer, layer.axis, input);
    return input.flatMap((size, place) => (place === layer.axis ? (layer.keepDims ? [1] : []) : [size]));
  },
  build: ({ b }, layer, [x]) => argExtremeOp(b, inDense(b, x), layer),
});

/** The k largest or smallest values along an axis, in order, or their places. */
export interface TopKLayer extends LayerBase {
  readonly kind: 'topK';
  readonly k: number;
  readonly axis: number;
  readonly largest: boolean;
  readonly output: 'values' | 'indices';
}

export const topK = define<TopKLayer>({
  kind: 'topK',
  inputs: ONE_INPUT,
  fields: { k: integer(1, LIMITS.elementsPerTensor), axis, largest: flag, output: oneOf('values', 'indices') },
  shape(layer, [input]) {
    checkAxis(layer, layer.axis, input);
    const size = input[layer.axis] as number;
    if (layer.k > size) fail(layer, `k must be at most the ${size} of axis ${layer.axis}; got ${layer.k}.`);
    return input.map((own, place) => (place === layer.axis ? layer.k : own));
  },
  build: ({ b }, layer, [x]) => topKOp(b, inDense(b, x), layer)[layer.output],
});
