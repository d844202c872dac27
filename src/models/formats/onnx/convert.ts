import { NO_PADDING } from '../../graph.js';
import type { Padding } from '../../network.js';
import type { ImportBuilder } from '../importBuilder.js';
import { samePadding } from '../../../kernels/ops/window.js';
import { base, type Converter, positive, product, show, value } from './converter.js';
import type { Operation, Value } from './node.js';
import { flatten, reshape, shapeOf, squeeze } from './reshape.js';
import type { Constant } from './tensor.js';

/** [C, H, W] of input 0. */
function map(op: Operation, builder: ImportBuilder): [number, number, number] {
  const [channels, height, width] = builder.shape(op.layer());
  if (channels === undefined || height === undefined || width === undefined) {
    return op.fail('its input must be a feature map [N, C, H, W].');
  }
  return [channels, height, width];
}

/** Adds a constant as a weight of the given shape (which must have as many values). */
function weight(op: Operation, builder: ImportBuilder, constant: Constant, shape: readonly number[]): string {
  if (constant.data.length !== product(shape)) {
    op.fail(`${constant.name} is [${constant.shape.join(', ')}]; expected [${shape.join(', ')}].`);
  }
  return builder.weight(constant.name, shape, Float32Array.from(constant.data));
}

function padding(
  op: Operation,
  size: readonly [number, number],
  kernel: readonly [number, number],
  stride: readonly [number, number],
  dilation: readonly [number, number],
): Padding {
  const auto = op.text('auto_pad', 'NOTSET');
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    return samePadding(size, kernel, stride, dilation, auto === 'SAME_LOWER');
  }
  const pads = op.ints('pads');
  if (auto === 'VALID' || !pads) return NO_PADDING;
  if (pads.length !== 4) op.fail(`pads must be four numbers; got ${show(pads)}.`);
  const [top, left, bottom, right] = pads as [number, number, number, number];
  return { top, left, bottom, right };
}

function conv(op: Operation, builder: ImportBuilder): Value {
  const [, height, width] = map(op, builder);
  const kernels = op.required(1);
  if (kernels.shape.length !== 4) return op.problem(`weights of ${kernels.shape.length} dimensions; 2-D has 4`);
  const [outChannels, , kernelHeight, kernelWidth] = kernels.shape as [number, number, number, number];
  const kernel = [kernelHeight, kernelWidth] as const;
  const stride = op.pair('strides', [1, 1]);
  const dilation = op.pair('dilations', [1, 1]);
  const bias = op.constant(2);
  const layer = builder.add({
    ...base(op),
    kind: 'conv2d',
    outChannels,
    kernel,
    stride,
    padding: padding(op, [height, width], kernel, stride, dilation),
    dilation,
    groups: op.int('group', 1),
    weight: weight(op, builder, kernels, kernels.shape),
    bias: bias ? weight(op, builder, bias, [outChannels]) : null,
  });
  return value(layer);
}

/** [in, out] -> [out, in], times `factor`. */
function transposed(data: Constant['data'], inputs: number, outputs: number, factor: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let row = 0; row < inputs; row++) {
    for (let column = 0; column < outputs; column++) {
      result[column * inputs + row] = (data[row * outputs + column] as number) * factor;
    }
  }
  return result;
}

const scaled = (constant: Constant, factor: number): Constant =>
  factor === 1 ? constant : { ...constant, data: Float32Array.from(constant.data, (item) => item * factor) };

/** alpha A B + beta C with a layer's output as A. */
function gemm(op: Operation, builder: ImportBuilder): Value {
  const matrix = op.required(1);
  const [first, second] = matrix.shape;
  if (first === undefined || second === undefined || matrix.shape.length !== 2) return op.fail('B must be a matrix.');
  const alpha = op.float('alpha', 1);
  const isOutIn = op.int('transB', 0) === 1;
  const [outFeatures, inFeatures] = isOutIn ? [first, second] : [second, first];
  const data = isOutIn ? scaled(matrix, alpha).data : transposed(matrix.data, first, second, alpha);
  const bias = op.constant(2);
  const layer = builder.add({
    ...base(op),
    kind: 'dense',
    outFeatures,
    weight: weight(op, builder, { ...matrix, data }, [outFeatures, inFeatures]),
    bias: bias ? weight(op, builder, broadcast(scaled(bias, op.float('beta', 1)), outFeatures), [outFeatures]) : null,
  });
  return value(layer);
}

/** A single value stands for all features. */
const broadcast = (constant: Constant, size: number): Constant =>
  constant.data.length === 1 && size > 1
    ? { ...constant, data: new Float32Array(size).fill(constant.data[0] as number) }
    : constant;

function matMul(op: Operation, builder: ImportBuilder): Value {
  const shape = builder.shape(op.layer());
  if (shape.length !== 1) return op.problem(`an input of shape [N, ${shape.join(', ')}]; only [N, F] is a dense layer`);
  return gemm(op, builder);
}

function batchNorm(op: Operation, builder: ImportBuilder): Value {
  const channels = [builder.shape(op.layer())[0] as number];
  const layer = builder.add({
    ...base(op),
    kind: 'batchNorm',
    epsilon: op.float('epsilon', 1e-5),
    momentum: 1 - op.float('momentum', 0.9),
    weight: weight(op, builder, op.required(1), channels),
    bias: weight(op, builder, op.required(2), channels),
    runningMean: weight(op, builder, op.required(3), channels),
    runningVariance: weight(op, builder, op.required(4), channels),
  });
  return value(layer);
}

function clip(op: Operation, builder: ImportBuilder): Value {
  const bound = (attribute: string, index: number, open: number): number =>
    op.has(attribute) ? op.float(attribute, open) : (op.constant(index)?.data[0] ?? open);
  const [low, high] = [bound('min', 1, Number.NEGATIVE_INFINITY), bound('max', 2, Number.POSITIVE_INFINITY)];
  if (low !== 0 || (high !== 6 && high < 3.4e38))
    return op.problem(`min ${low}, max ${high}; known are 0 to 6, and 0 up`);
  return value(builder.add({ ...base(op), kind: 'activation', activation: high === 6 ? 'relu6' : 'relu' }));
}

function pool(kind: 'maxPool' | 'averagePool'): Converter {
  return (op, builder) => {
    const [, height, width] = map(op, builder);
    const kernel = op.pair('kernel_shape', [0, 0]);
    const stride = op.pair('strides', [1, 1]);
    const layer = builder.add({
      ...base(op),
      kind,
      kernel,
      stride,
      padding: padding(op, [height, width], kernel, stride, [1, 1]),
      dilation: [1, 1],
      ceilMode: op.int('ceil_mode', 0) === 1,
      countIncludePad: kind === 'averagePool' && op.int('count_include_pad', 0) === 1,
    });
    return value(layer);
  };
}

function globalMaxPool(op: Operation, builder: ImportBuilder): Value {
  const [, height, width] = map(op, builder);
  const window = { kernel: [height, width], stride: [1, 1], padding: NO_PADDING, dilation: [1, 1] } as const;
  return value(builder.add({ ...base(op), kind: 'maxPool', ...window, ceilMode: false, countIncludePad: false }));
}

function reduceMean(op: Operation, builder: ImportBuilder): Value {
  const axes = op.listOf('axes', 1);
  const rank = builder.shape(op.layer()).length + 1;
  if (rank !== 4 || positive(axes ?? [], rank).join() !== '2,3') {
    return op.problem(`axes = ${show(axes)}; only the mean over height and width (2, 3) of a map is known`);
  }
  return value(builder.add({ ...base(op), kind: 'globalAveragePool', flatten: op.int('keepdims', 1) === 0 }));
}

/** Two or more layers; or a layer and a constant, which is the bias of the convolution or dense layer before it. */
function add(op: Operation, builder: ImportBuilder): Value {
  const constant = op.inputs.find((input) => input?.kind === 'constant');
  if (constant?.kind === 'constant') return addBias(op, builder, constant);
  return value(builder.add({ name: op.name, inputs: op.inputs.map((_, index) => op.layer(index)), kind: 'add' }));
}

function addBias(op: Operation, builder: ImportBuilder, constant: Constant): Value {
  const name = op.layer(op.inputs.findIndex((input) => input?.kind === 'layer'));
  const layer = builder.layer(name);
  const shape = builder.shape(name);
  const [channels = 0] = shape;
  const expected = shape.map((size, axis) => (axis === 0 ? size : 1)).join();
  const isBias = constant.shape.join() === expected || constant.shape.join() === `1,${expected}`;
  const canTakeIt = (layer.kind === 'dense' || layer.kind === 'conv2d') && layer.bias === null && !builder.isRead(name);
  if (!isBias || !canTakeIt) return op.problem(`adds the constant ${constant.name} ${show(constant.shape)}`);
  builder.replace({ ...layer, bias: weight(op, builder, constant, [channels]) });
  return value(name);
}

function concat(op: Operation, builder: ImportBuilder): Value {
  const rank = builder.shape(op.layer()).length + 1;
  const [axis] = positive([op.int('axis', 1)], rank);
  if (axis !== 1) return op.problem(`axis = ${axis}; only channels (1) can be joined`);
  return value(
    builder.add({ name: op.name, inputs: op.inputs.map((_, index) => op.layer(index)), kind: 'concat', axis: 1 }),
  );
}

function dropout(op: Operation, builder: ImportBuilder): Value {
  const rate = op.has('ratio') ? op.float('ratio', 0.5) : (op.constant(1)?.data[0] ?? 0.5);
  return value(builder.add({ ...base(op), kind: 'dropout', rate }));
}

/** Before operator set 13 softmax ran over all axes from `axis` on, and `axis` was 1 unless given. */
function softmax(op: Operation, builder: ImportBuilder): Value {
  const shape = builder.shape(op.layer());
  const [axis] = positive([op.int('axis', op.opset < 13 ? 1 : -1)], shape.length + 1);
  const isPixel = product(shape) === shape[0];
  if (axis !== 1 || (op.opset < 13 && !isPixel)) return op.problem(`axis = ${axis} of [N, ${shape.join(', ')}]`);
  return value(builder.add({ ...base(op), kind: 'softmax', axis: 1 }));
}

function pad(op: Operation, builder: ImportBuilder): Value {
  const pads = op.listOf('pads', 1) ?? op.fail('pads are missing.');
  const fill = op.has('value') ? op.float('value', 0) : (op.constant(2)?.data[0] ?? 0);
  const axes = op.constant(3)?.data;
  const rank = builder.shape(op.layer()).length + 1;
  const chosen = axes ? [...axes].map((axis) => (axis < 0 ? axis + rank : axis)) : [0, 1, 2, 3].slice(0, rank);
  const at = (axis: number, end: 0 | 1) => pads[chosen.indexOf(axis) + end * chosen.length] ?? 0;
  const both = (axis: number) => (chosen.includes(axis) ? [at(axis, 0), at(axis, 1)] : [0, 0]) as [number, number];
  const [top, bottom] = both(2);
  const [left, right] = both(3);
  const outside = [...both(0), ...both(1), ...[top, bottom, left, right].filter((size) => size < 0)];
  if (fill !== 0 || rank !== 4 || outside.some((size) => size !== 0)) {
    return op.problem(`pads = ${show(pads)} with ${fill}; known are zeros around height and width`);
  }
  return value(builder.add({ ...base(op), kind: 'zeroPad', padding: { top, left, bottom, right } }));
}

const relu: Converter = (op, builder) => value(builder.add({ ...base(op), kind: 'activation', activation: 'relu' }));
const globalAveragePool: Converter = (op, builder) =>
  value(builder.add({ ...base(op), kind: 'globalAveragePool', flatten: false }));
const same: Converter = (op) => value(op.layer());

export const CONVERTERS: Readonly<Record<string, Converter>> = {
  Conv: conv,
  Gemm: gemm,
  MatMul: matMul,
  BatchNormalization: batchNorm,
  Relu: relu,
  Clip: clip,
  MaxPool: pool('maxPool'),
  AveragePool: pool('averagePool'),
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
  ReduceMean: reduceMean,
  Add: add,
  Sum: add,
  Concat: concat,
  Flatten: flatten,
  Reshape: reshape,
  Squeeze: squeeze,
  Dropout: dropout,
  Softmax: softmax,
  Pad: pad,
  Identity: same,
  Cast: same,
  Shape: shapeOf,
};

/** Attributes whose other values Graft has no layer for; checked for every node, so that one error lists them all. */
export const ALLOWED_VALUES: Readonly<Record<string, Readonly<Record<string, readonly (number | string)[]>>>> = {
  Gemm: { transA: [0] },
  BatchNormalization: { spatial: [1], training_mode: [0] },
  Pad: { mode: ['constant'] },
  Cast: { to: [1, 10, 11, 16] },
  Conv: { auto_pad: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] },
  MaxPool: { auto_pad: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] },
  AveragePool: { auto_pad: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] },
};
