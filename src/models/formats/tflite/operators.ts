import type { Activation } from '../../network.js';
import { permuted } from '../tensorflow/arrange.js';
import {
  activation,
  binary,
  type BinaryOperator,
  combine,
  softmax,
  unary,
  type UnaryOperator,
} from '../tensorflow/elementwise.js';
import type { Operand } from '../tensorflow/operatorContext.js';
import {
  arithmetic,
  batchToSpaceOperator,
  concatenation,
  dilatable,
  expandDims,
  localResponseNorm,
  padding,
  reciprocalRoot,
  reshapeTo,
  resizing,
  spaceToBatchOperator,
  squaredDifference,
} from '../tensorflow/operators.js';
import { gather, pack, shapeOf, split, stridedSlice } from '../tensorflow/ranges.js';
import { depthToSpace, reshape, spaceToDepth, squeeze, transpose } from '../tensorflow/shaping.js';
import { pool, reduce } from '../tensorflow/spatial.js';
import { type Constant, isConstant, notMapped, ourAxis, type Value } from '../tensorflow/value.js';
import { conv2d, dense, depthwiseConv2d, prelu } from '../tensorflow/weighted.js';
import type { Context } from './context.js';

/** The outputs of an operator. */
type Converter = (c: Context) => Operand | readonly Operand[];

/** Kernel [out, kh, kw, in / groups]. */
function convolution(c: Context): Value {
  const kernel = permuted(ranked(c.constant(1), 4), [1, 2, 3, 0]);
  const [input, window, finish] = dilatable(c, c.window({ w: 4, h: 5 }));
  return finish(c.fused(conv2d(c, input, kernel, c.optionalConstant(2), window), 3));
}

/** Kernel [1, kh, kw, channels * multiplier]. */
function depthwise(c: Context): Value {
  const { shape, data } = ranked(c.constant(1), 4);
  const [, height, width, outputs] = shape as [number, number, number, number];
  const [input, window, finish] = dilatable(c, c.window({ w: 5, h: 6 }));
  const channels = c.shape(input).at(-1) as number;
  if (outputs % channels !== 0) notMapped(`a kernel for ${outputs} outputs on ${channels} channels`);
  const kernel = { shape: [height, width, channels, outputs / channels], data };
  return finish(c.fused(depthwiseConv2d(c, input, kernel, c.optionalConstant(2), window), 4));
}

function ranked(constant: Constant, rank: number): Constant {
  return constant.shape.length === rank ? constant : notMapped(`weights [${constant.shape.join(', ')}]`);
}

/** Weights [out, in]; the input counts as [N, in] unless keep_num_dims. */
function fullyConnected(c: Context): Value {
  const kernel = permuted(ranked(c.constant(1), 2), [1, 0]);
  if (c.attributes.i8(1) !== 0) notMapped('weights_format = SHUFFLED4x16INT8');
  const input = c.value(0);
  const rows = c.attributes.flag(2) ? input : reshape(c, input, [kernel.shape[0] as number], `${c.name}_flat`);
  return c.fused(dense(c, rows, kernel, c.optionalConstant(2)), 0);
}

const pooling =
  (kind: 'maxPool' | 'averagePool'): Converter =>
  (c) => {
    const [width, height] = [c.attributes.i32(3), c.attributes.i32(4)];
    return c.fused(pool(c, kind, c.value(0), [height, width], c.window(null)), 5);
  };

/** With the activation that some of them have. */
const arithmeticOf =
  (operator: BinaryOperator, hasActivation = true): Converter =>
  (c) => {
    const result = arithmetic(c, operator);
    return hasActivation && !isConstant(result) ? c.fused(result, 0) : result;
  };

const activationOf =
  (kind: Activation): Converter =>
  (c) =>
    activation(c, c.value(0), kind);

const unaryOf =
  (operator: UnaryOperator): Converter =>
  (c) =>
    unary(c, operator, c.value(0));

const reduction =
  (operator: 'mean' | 'sum' | 'max' | 'min'): Converter =>
  (c) =>
    reduce(c, operator, c.value(0), c.integers(1), c.attributes.flag(0));

/** The shape is an input, or, in old files, an option. */
const reshapeOperator: Converter = (c) => reshapeTo(c, c.operands[1] ? c.integers(1) : c.attributes.i32s(0));

/** Over the last axis. */
function l2Normalization(c: Context): Value {
  const input = c.value(0);
  const axis = ourAxis(input, c.shape(input).length - 1);
  const layer = c.builder.add({ name: c.name, inputs: [input.layer], kind: 'l2Normalize', axis, epsilon: 1e-6 });
  return c.fused({ layer, order: input.order }, 0);
}

function softmaxOperator(c: Context): Value {
  if (c.attributes.f32(0) !== 1) notMapped(`beta = ${c.attributes.f32(0)}`);
  return softmax(c, c.value(0), -1);
}

function concatOperator(c: Context): Operand {
  const result = concatenation(c, c.operands.length, c.attributes.i32(0));
  return isConstant(result) ? result : c.fused(result, 1);
}

function splitOperator(c: Context): readonly Value[] {
  const count = c.attributes.i32(0);
  if (count !== c.operator.outputs.length) notMapped(`num_splits = ${count}`);
  return split(c, c.value(1), count, c.integers(0)[0] as number);
}

function stridedSliceOperator(c: Context): Operand {
  const [begin, end, ellipsis, newAxis, shrink] = [0, 1, 2, 3, 4].map((field) => c.attributes.i32(field)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return stridedSlice(c, { begin, end, ellipsis, newAxis, shrink });
}

function responseNorm(c: Context): Value {
  const { attributes } = c;
  return localResponseNorm(c, {
    radius: attributes.i32(0),
    bias: attributes.f32(1),
    alpha: attributes.f32(2),
    beta: attributes.f32(3),
  });
}

const identity: Converter = (c) => c.operand(0);

function squeezeOperator(c: Context): Value {
  const axes = c.attributes.i32s(0);
  return squeeze(c, c.value(0), axes.length > 0 ? axes : null);
}

/** By the names of `BuiltinOperator`. */
export const OPERATORS: Readonly<Record<string, Converter>> = {
  CONV_2D: convolution,
  DEPTHWISE_CONV_2D: depthwise,
  FULLY_CONNECTED: fullyConnected,
  AVERAGE_POOL_2D: pooling('averagePool'),
  MAX_POOL_2D: pooling('maxPool'),
  ADD: arithmeticOf('add'),
  SUB: arithmeticOf('sub'),
  MUL: arithmeticOf('mul'),
  DIV: arithmeticOf('div'),
  MAXIMUM: arithmeticOf('max', false),
  MINIMUM: arithmeticOf('min', false),
  POW: arithmeticOf('pow', false),
  ADD_N: (c) => combine(c, 'add', c.values()),
  SQUARE: (c) => binary(c, 'mul', c.value(0), c.value(0)),
  SQUARED_DIFFERENCE: squaredDifference,
  CONCATENATION: concatOperator,
  SPLIT: splitOperator,
  RESHAPE: reshapeOperator,
  SQUEEZE: squeezeOperator,
  EXPAND_DIMS: expandDims,
  TRANSPOSE: (c) => transpose(c, c.value(0), c.integers(1)),
  STRIDED_SLICE: stridedSliceOperator,
  SHAPE: shapeOf,
  PACK: pack,
  GATHER: gather,
  SPACE_TO_BATCH_ND: spaceToBatchOperator,
  BATCH_TO_SPACE_ND: batchToSpaceOperator,
  DEPTH_TO_SPACE: (c) => depthToSpace(c, c.value(0), c.attributes.i32(0)),
  SPACE_TO_DEPTH: (c) => spaceToDepth(c, c.value(0), c.attributes.i32(0)),
  PAD: (c) => padding(c, 'constant'),
  PADV2: (c) => padding(c, 'constant'),
  MIRROR_PAD: (c) => (c.attributes.i8(0) === 0 ? padding(c, 'reflect') : notMapped('mode = SYMMETRIC')),
  MEAN: reduction('mean'),
  SUM: reduction('sum'),
  REDUCE_MAX: reduction('max'),
  REDUCE_MIN: reduction('min'),
  RESIZE_BILINEAR: (c) => resizing(c, 'linear', c.attributes.flag(2), c.attributes.flag(3)),
  RESIZE_NEAREST_NEIGHBOR: (c) => resizing(c, 'nearest', c.attributes.flag(0), c.attributes.flag(1)),
  SOFTMAX: softmaxOperator,
  LOG_SOFTMAX: (c) => softmax(c, c.value(0), -1, 'logSoftmax'),
  L2_NORMALIZATION: l2Normalization,
  LOCAL_RESPONSE_NORMALIZATION: responseNorm,
  RELU: activationOf('relu'),
  RELU6: activationOf('relu6'),
  RELU_N1_TO_1: activationOf({ kind: 'clip', min: -1, max: 1 }),
  RELU_0_TO_1: activationOf({ kind: 'clip', min: 0, max: 1 }),
  LEAKY_RELU: (c) => activation(c, c.value(0), { kind: 'leakyRelu', slope: c.attributes.f32(0) }),
  PRELU: (c) => prelu(c, c.value(0), c.constant(1)),
  ELU: activationOf({ kind: 'elu', alpha: 1 }),
  GELU: (c) => activation(c, c.value(0), c.attributes.flag(0) ? 'geluTanh' : 'gelu'),
  HARD_SWISH: activationOf('hardSwish'),
  LOGISTIC: activationOf('sigmoid'),
  TANH: activationOf('tanh'),
  ABS: unaryOf('abs'),
  EXP: unaryOf('exp'),
  LOG: unaryOf('log'),
  NEG: unaryOf('neg'),
  SQRT: unaryOf('sqrt'),
  RSQRT: reciprocalRoot,
  QUANTIZE: identity,
  DEQUANTIZE: identity,
  CAST: identity,
};
