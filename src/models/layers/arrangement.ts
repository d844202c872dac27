import { elementCount } from '../../kernels/tensor.js';
import { channelShuffle as channelShuffleOp } from '../../kernels/ops/channelShuffle/channelShuffle.js';
import { concat as concatOp } from '../../kernels/ops/concat/concat.js';
import { expand as expandOp } from '../../kernels/ops/expand/expand.js';
import { flatten as flattenOp } from '../../kernels/ops/flatten/flatten.js';
import { reshape as reshapeOp } from '../../kernels/ops/reshape/reshape.js';
import { slice as sliceOp } from '../../kernels/ops/slice/slice.js';
import { transpose as transposeOp } from '../../kernels/ops/transpose/transpose.js';
import { LIMITS } from '../limits.js';
import type { LayerBase, LayerShape } from '../network.js';
import { channelsOf, checkAxis, define, fail, ONE_INPUT, show } from './definition.js';
import { added, axis, channels, integer, list, position } from './fields.js';
import { alike, inRows } from './layout.js';

/** Inputs one after another along an axis; 1, the channels, in nearly all networks. */
export interface ConcatLayer extends LayerBase {
  readonly kind: 'concat';
  readonly axis: number;
}

export const concat = define<ConcatLayer>({
  kind: 'concat',
  inputs: { least: 2, most: LIMITS.inputs },
  fields: { axis: added(axis, 1) },
  shape(layer, inputs) {
    const [first] = inputs;
    checkAxis(layer, layer.axis, first);
    const others = (shape: LayerShape) => shape.map((size, index) => (index === layer.axis ? '*' : size)).join();
    if (inputs.some((shape) => others(shape) !== others(first))) {
      fail(layer, `its inputs must agree in all but axis ${layer.axis}; got ${inputs.map(show).join(', ')}.`);
    }
    const total = inputs.reduce((sum, shape) => sum + (shape[layer.axis] as number), 0);
    return first.map((size, index) => (index === layer.axis ? total : size));
  },
  build: ({ b }, layer, inputs) => concatOp(b, alike(b, inputs), layer.axis),
});

/** Two dimensions: what is before `axis`, and all from it on. 1 makes a vector for each picture, [N, C H W]. */
export interface FlattenLayer extends LayerBase {
  readonly kind: 'flatten';
  readonly axis: number;
}

export const flatten = define<FlattenLayer>({
  kind: 'flatten',
  inputs: ONE_INPUT,
  fields: { axis: added(integer(0, LIMITS.rank), 1) },
  shape(layer, [input]) {
    if (layer.axis > input.length) fail(layer, `axis ${layer.axis} is none of its input ${show(input)}.`);
    return [elementCount(input.slice(0, layer.axis)), elementCount(input.slice(layer.axis))];
  },
  build: ({ b }, layer, [x]) => flattenOp(b, x, layer.axis),
});

/** The same elements, in their order, under another shape. */
export interface ReshapeLayer extends LayerBase {
  readonly kind: 'reshape';
  /** 0 takes the input's size at that place (the batch, in front); -1, at most once, what is left over. */
  readonly shape: readonly number[];
}

function reshaped(layer: ReshapeLayer, input: LayerShape): number[] {
  const sizes = layer.shape.map((size, place) => (size === 0 ? (input[place] ?? 0) : size));
  const open = sizes.filter((size) => size === -1).length;
  const known = elementCount(sizes.filter((size) => size !== -1));
  const rest = elementCount(input) / known;
  const fits = open === 0 ? rest === 1 : open === 1 && Number.isInteger(rest);
  if (!fits) fail(layer, `its input ${show(input)} cannot become ${show(layer.shape)}.`);
  return sizes.map((size) => (size === -1 ? rest : size));
}

export const reshape = define<ReshapeLayer>({
  kind: 'reshape',
  inputs: ONE_INPUT,
  fields: { shape: list(integer(-1, LIMITS.elementsPerTensor)) },
  shape: (layer, [input]) => reshaped(layer, input),
  build: ({ b }, layer, [x]) => reshapeOp(b, x, reshaped(layer, x.shape)),
});

/** Dimension i of the output is dimension `permutation[i]` of the input. */
export interface TransposeLayer extends LayerBase {
  readonly kind: 'transpose';
  readonly permutation: readonly number[];
}

export const transpose = define<TransposeLayer>({
  kind: 'transpose',
  inputs: ONE_INPUT,
  fields: { permutation: list(axis) },
  shape(layer, [input]) {
    const { permutation } = layer;
    const isOne = permutation.length === input.length && input.every((_, place) => permutation.includes(place));
    if (!isOne) fail(layer, `${show(permutation)} is no permutation of the axes of its input ${show(input)}.`);
    return permutation.map((from) => input[from] as number);
  },
  build: ({ b }, { permutation }, [x]) => transposeOp(b, x, permutation),
});

/** A range of each of some axes, as in NumPy: negative positions count from the end, what is outside is cut off. */
export interface SliceLayer extends LayerBase {
  readonly kind: 'slice';
  readonly axes: readonly number[];
  readonly starts: readonly number[];
  /** Exclusive. For negative steps, -(size + 1) or less ends behind the first element. */
  readonly ends: readonly number[];
  readonly steps: readonly number[];
}

const step: typeof position = {
  read: (json) => {
    const value = position.read(json);
    return value === 0 ? json.fail('a step other than 0') : value;
  },
};

function ranges(layer: SliceLayer) {
  return layer.axes.map((along, index) => ({
    axis: along,
    start: layer.starts[index] as number,
    end: layer.ends[index] as number,
    step: layer.steps[index] as number,
  }));
}

export const slice = define<SliceLayer>({
  kind: 'slice',
  inputs: ONE_INPUT,
  fields: { axes: list(axis), starts: list(position), ends: list(position), steps: list(step) },
  shape(layer, [input]) {
    const { axes, starts, ends, steps } = layer;
    if ([starts, ends, steps].some(({ length }) => length !== axes.length) || new Set(axes).size !== axes.length) {
      fail(layer, 'axes (each once), starts, ends and steps must have one length.');
    }
    const shape = [...input];
    for (const { axis: along, start, end, step: by } of ranges(layer)) {
      checkAxis(layer, along, input);
      const size = input[along] as number;
      const [low, high] = by > 0 ? [0, size] : [-1, size - 1];
      const clamped = (place: number) => Math.min(high, Math.max(low, place < 0 ? place + size : place));
      shape[along] = Math.max(0, Math.ceil((clamped(end) - clamped(start)) / by));
    }
    return shape;
  },
  build: ({ b }, layer, [x]) => sliceOp(b, x, ranges(layer)),
});

/** Repeats dimensions of size 1, and along new ones in front. */
export interface ExpandLayer extends LayerBase {
  readonly kind: 'expand';
  /** 0 and 1 leave the input's size (0 the batch's, in front). */
  readonly shape: readonly number[];
}

function expanded(layer: ExpandLayer, input: LayerShape): number[] {
  const rank = Math.max(layer.shape.length, input.length);
  return Array.from({ length: rank }, (_, place) => {
    const own = input[place - rank + input.length] ?? 1;
    const wanted = layer.shape[place - rank + layer.shape.length] ?? 1;
    if (wanted <= 1 || wanted === own) return own;
    return own === 1 ? wanted : fail(layer, `its input ${show(input)} does not repeat to ${show(layer.shape)}.`);
  });
}

export const expand = define<ExpandLayer>({
  kind: 'expand',
  inputs: ONE_INPUT,
  fields: { shape: list(integer(0, LIMITS.elementsPerTensor)) },
  shape: (layer, [input]) => expanded(layer, input),
  build: ({ b }, layer, [x]) => expandOp(b, x, expanded(layer, x.shape)),
});

/** Channels seen as [groups, C / groups] are transposed (Zhang et al. 2018, ShuffleNet). */
export interface ChannelShuffleLayer extends LayerBase {
  readonly kind: 'channelShuffle';
  readonly groups: number;
}

export const channelShuffle = define<ChannelShuffleLayer>({
  kind: 'channelShuffle',
  inputs: ONE_INPUT,
  fields: { groups: channels },
  shape(layer, [input]) {
    const count = channelsOf(layer, input);
    if (count % layer.groups !== 0) fail(layer, `${layer.groups} groups must divide its ${count} channels.`);
    return [...input];
  },
  build: ({ b }, { groups }, [x]) => channelShuffleOp(b, inRows(b, x), groups),
});
