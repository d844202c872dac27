import { elementCount } from '../../../kernels/tensor.js';
import { binary, type Converter, type Converters, frontAxis, reshaped, unary } from './converter.js';
import { weight } from './convolution.js';
import type { Operation } from './node.js';
import type { Constant } from './value.js';

const reduce = (
  op: Operation,
  part: string,
  x: string,
  operator: 'mean' | 'sum' | 'l2' | 'max',
  axes: readonly number[],
) => op.step(part, { kind: 'reduce', inputs: [x], operator, axes: [...axes], keepDims: true });

/** x minus its mean over axes, and the mean of the squares of that. */
function moments(op: Operation, x: string, axes: readonly number[]) {
  const mean = reduce(op, 'mean', x, 'mean', axes);
  const difference = binary(op, 'centred', 'sub', x, mean);
  const square = binary(op, 'square', 'mul', difference, difference);
  return { mean, difference, variance: reduce(op, 'variance', square, 'mean', axes) };
}

/** 1 / sqrt(variance + epsilon). */
function inverseDeviation(op: Operation, variance: string, epsilon: number): string {
  const shifted = binary(op, 'shifted', 'add', variance, op.numbers('epsilon', [epsilon]));
  return unary(op, 'inverseDeviation', 'reciprocal', unary(op, 'deviation', 'sqrt', shifted));
}

/** [C] along axis 1 of a value of this rank. */
const perChannel = (op: Operation, part: string, index: number, rank: number): string => {
  const layer = op.layer(index);
  return reshaped(op, part, layer, [elementCount(op.shape(layer)), ...Array<number>(Math.max(0, rank - 2)).fill(1)]);
};

const batchNorm: Converter = (op) => {
  const x = op.layer();
  const shape = op.shape(x);
  const epsilon = op.float('epsilon', 1e-5);
  if (op.opset >= 14 && op.int('training_mode', 0) === 1) return trainedBatchNorm(op, x, epsilon);
  const parts = [1, 2, 3, 4].map((index) => op.constant(index));
  const [scale, bias, mean, variance] = parts;
  if (!scale || !bias || !mean || !variance) return op.problem('scale, bias, mean or variance is not a constant');
  if (op.opset < 9 && op.int('spatial', 1) === 0)
    return op.value(elementNorm(op, x, scale, bias, mean, variance, epsilon));
  const channels = [shape[1] ?? 1];
  const flat = shape.length === 2 || shape.length === 4;
  const [n, c, ...sizes] = shape as [number, number, ...number[]];
  const map = flat ? x : reshaped(op, 'map', x, [n, c ?? 1, 1, elementCount(sizes)]);
  const layer = op.add({
    kind: 'batchNorm',
    inputs: [map],
    epsilon,
    momentum: Math.min(1, Math.max(0, 1 - op.float('momentum', 0.9))),
    weight: weight(op, scale, channels),
    bias: weight(op, bias, channels),
    runningMean: weight(op, mean, channels),
    runningVariance: weight(op, variance, channels),
  });
  return op.value(flat ? layer : reshaped(op, 'result', layer, shape));
};

/** Statistics for each value of a map (operator sets before 9): a factor and an offset. */
function elementNorm(
  op: Operation,
  x: string,
  scale: Constant,
  bias: Constant,
  mean: Constant,
  variance: Constant,
  epsilon: number,
) {
  const factors = scale.data.map((value, i) => value / Math.sqrt((variance.data[i] ?? 0) + epsilon));
  const offsets = factors.map((value, i) => (bias.data[i] ?? 0) - (mean.data[i] ?? 0) * value);
  const factor = op.parameter({ ...scale, data: factors });
  const offset = op.parameter({ ...bias, data: offsets });
  return op.add({ kind: 'binary', operator: 'add', inputs: [binary(op, 'scaled', 'mul', x, factor), offset] });
}

/** By the statistics of the batch, which move the running ones along. */
function trainedBatchNorm(op: Operation, x: string, epsilon: number) {
  const rank = op.shape(x).length;
  const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== 1);
  const { mean, difference, variance } = moments(op, x, axes);
  const inverse = inverseDeviation(op, variance, epsilon);
  const [scale, bias] = [perChannel(op, 'scale', 1, rank), perChannel(op, 'bias', 2, rank)];
  const scaled = binary(op, 'scaled', 'mul', binary(op, 'normalized', 'mul', difference, inverse), scale);
  const y = op.add({ kind: 'binary', operator: 'add', inputs: [scaled, bias] });
  const momentum = op.float('momentum', 0.9);
  const moved = (part: string, old: number, batch: string) => {
    const flat = reshaped(op, `${part}Batch`, batch, [elementCount(op.shape(batch))]);
    const kept = binary(op, `${part}Kept`, 'mul', op.layer(old), op.numbers(`${part}Momentum`, [momentum]));
    const added = binary(op, `${part}Added`, 'mul', flat, op.numbers(`${part}Rest`, [1 - momentum]));
    return op.value(op.step(part, { kind: 'add', inputs: [kept, added] }));
  };
  return [op.value(y), moved('runningMean', 3, mean), moved('runningVariance', 4, variance)];
}

/** Groups of channels, or each channel alone; weights of a file are parameters of the layer. */
function groupNorm(op: Operation, groups: number, scaleAt: number, epsilon: number): string | null {
  const x = op.layer();
  const shape = op.shape(x);
  const [n, c, ...sizes] = shape as [number, number, ...number[]];
  const [scale, bias] = [op.constant(scaleAt), op.constant(scaleAt + 1)];
  if (!scale || !bias) return op.problem('scale or bias is not a constant');
  const map = shape.length === 4 ? x : reshaped(op, 'map', x, [n, c, 1, elementCount(sizes)]);
  const layer = op.add({
    kind: 'groupNorm',
    inputs: [map],
    groups,
    epsilon,
    weight: weight(op, spread(scale, c), [c]),
    bias: weight(op, spread(bias, c), [c]),
  });
  return shape.length === 4 ? layer : reshaped(op, 'result', layer, shape);
}

/** One number for each group as one for each channel (operator sets before 21). */
function spread(constant: Constant, channels: number): Constant {
  const times = channels / constant.data.length;
  if (times === 1 || !Number.isInteger(times)) return constant;
  const data = Float32Array.from({ length: channels }, (_, c) => constant.data[Math.floor(c / times)] as number);
  return { ...constant, shape: [channels], data };
}

const instanceNormalization: Converter = (op) => {
  const channels = op.shape(op.layer())[1] ?? 1;
  const layer = groupNorm(op, channels, 1, op.float('epsilon', 1e-5));
  return layer === null ? null : op.value(layer);
};

const groupNormalization: Converter = (op) => {
  const layer = groupNorm(op, op.int('num_groups', 1), 1, op.float('epsilon', 1e-5));
  return layer === null ? null : op.value(layer);
};

const layerNormalization: Converter = (op) => {
  const x = op.layer();
  const shape = op.shape(x);
  const axis = frontAxis(op, op.int('axis', -1), shape.length);
  const epsilon = op.float('epsilon', 1e-5);
  const normalized = shape.slice(axis);
  const [scale, bias] = [op.constant(1), op.inputs[2] ? op.constant(2) : null];
  const fits = (constant: Constant | null | undefined) => constant?.shape.join() === normalized.join();
  const isPlain = fits(scale) && (bias === null || fits(bias));
  const wantsMoments = Boolean(op.node.outputs[1] || op.node.outputs[2]);
  if (isPlain && scale && !wantsMoments) {
    const layer = op.add({
      kind: 'layerNorm',
      inputs: [x],
      axes: normalized.length,
      epsilon,
      weight: weight(op, scale, normalized),
      bias: bias ? weight(op, bias, normalized) : null,
    });
    return op.value(layer);
  }
  const axes = normalized.map((_, index) => axis + index);
  const { mean, difference, variance } = moments(op, x, axes);
  const inverse = inverseDeviation(op, variance, epsilon);
  const scaled = binary(op, 'scaled', 'mul', binary(op, 'normalized', 'mul', difference, inverse), op.layer(1));
  const y = op.inputs[2] ? binary(op, 'result', 'add', scaled, op.layer(2)) : scaled;
  return [op.value(y), op.value(mean, 'float32'), op.value(inverse, 'float32')];
};

const lrn: Converter = (op) => {
  const size = op.int('size', 1);
  const layer = op.add({
    kind: 'localResponseNorm',
    inputs: [op.layer()],
    size,
    before: Math.floor((size - 1) / 2),
    alpha: op.float('alpha', 1e-4),
    beta: op.float('beta', 0.75),
    k: op.float('bias', 1),
  });
  return op.value(layer);
};

/** x over its norm; where that is 0, x stays. */
const lpNormalization: Converter = (op) => {
  const x = op.layer();
  const axes = [frontAxis(op, op.int('axis', -1), op.shape(x).length)];
  const p = op.int('p', 2);
  if (p !== 1 && p !== 2) return op.problem(`p = ${p}`);
  const norm =
    p === 2 ? reduce(op, 'norm', x, 'l2', axes) : reduce(op, 'norm', unary(op, 'abs', 'abs', x), 'sum', axes);
  const isZero = unary(op, 'isZero', 'not', norm);
  const divisor = op.step('divisor', { kind: 'add', inputs: [norm, isZero] });
  return op.value(op.add({ kind: 'binary', operator: 'div', inputs: [x, divisor] }));
};

const meanVarianceNormalization: Converter = (op) => {
  const x = op.layer();
  const axes = (op.ints('axes') ?? [0, 2, 3]).map((axis) => frontAxis(op, axis, op.shape(x).length));
  const { difference, variance } = moments(op, x, axes);
  const inverse = inverseDeviation(op, variance, 1e-9);
  return op.value(op.add({ kind: 'binary', operator: 'mul', inputs: [difference, inverse] }));
};

export const NORMS: Converters = {
  BatchNormalization: batchNorm,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization,
  LRN: lrn,
  LpNormalization: lpNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
};
