import type { Activation } from '../../network.js';
import {
  activation,
  binary,
  type BinaryOperator,
  combine,
  softmax,
  unary,
  type UnaryOperator,
} from '../tensorflow/elementwise.js';
import { permuted } from '../tensorflow/arrange.js';
import { depthToSpace, reshape, spaceToDepth, squeeze, transpose } from '../tensorflow/shaping.js';
import { concat, pad } from '../tensorflow/shaping.js';
import { pool, reduce, resize } from '../tensorflow/spatial.js';
import {
  asMaps,
  type Constant,
  isConstant,
  notMapped,
  ourAxis,
  positiveAxis,
  type Value,
} from '../tensorflow/value.js';
import { batchToSpace, dilatedWindow, isSharedOut, type SharedOut, spaceToBatch } from '../tensorflow/dilated.js';
import { conv2d, dense, depthwiseConv2d, prelu, type Window } from '../tensorflow/weighted.js';
import type { Context, Operand } from './context.js';
import { gather, pack, shapeOf, split, stridedSlice } from './ranges.js';

/** The outputs of an operator. */
type Converter = (c: Context) => Operand | readonly Operand[];

/** Kernel [out, kh, kw, in / groups]. */
function convolution(c: Context): Value {
  const kernel = permuted(ranked(c.constant(1), 4), [1, 2, 3, 0]);
  const [input, window, finish] = dilatable(c, c.window({ w: 4, h: 5 }));
  return finish(c.fused(conv2d(c, input, kernel, c.optionalConstant(2), window), 3));
}

/** The input and window of a convolution, and what makes its result one on maps that are shared out, where its input is. */
function dilatable(c: Context, window: Window): [input: Value, window: Window, finish: (value: Value) => Value] {
  const input = c.anyValue(0);
  if (!isSharedOut(input)) return [input, window, (value) => value];
  const { layer, order, block } = input;
  const shared = (value: Value): SharedOut => ({ ...value, block, padding: null });
  return [{ layer, order }, dilatedWindow(input, window), shared];
}

function spaceToBatchOperator(c: Context): Value {
  return spaceToBatch(c.value(0), c.integers(1), c.integers(2));
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

const arithmetic =
  (operator: BinaryOperator, hasActivation = true): Converter =>
  (c) => {
    const [left, right] = [c.operand(0), c.operand(1)];
    if (isConstant(left) && isConstant(right)) return folded(operator, left, right);
    const result = binary(c, operator, left, right);
    return hasActivation ? c.fused(result, 0) : result;
  };

const FOLDED: Readonly<Partial<Record<BinaryOperator, (a: number, b: number) => number>>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

/** Arithmetic on sizes. */
function folded(operator: BinaryOperator, left: Constant, right: Constant): Constant {
  const apply = FOLDED[operator];
  const [a, b] = [left.data[0], right.data[0]];
  if (!apply || left.data.length !== 1 || right.data.length !== 1) return notMapped('it has constants only');
  return { shape: left.shape, data: Float32Array.of(apply(a as number, b as number)) };
}

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
function reshapeOperator(c: Context): Operand {
  const sizes = c.operands[1] ? c.integers(1) : c.attributes.i32s(0);
  const input = c.operand(0);
  if (isConstant(input))
    return { shape: sizes.map((size) => (size === -1 ? input.data.length : size)), data: input.data };
  return reshape(c, input, sizes.slice(1));
}

function padding(c: Context, mode: 'constant' | 'reflect'): Value {
  const margins = c.integers(1);
  const before = margins.filter((_, index) => index % 2 === 0);
  const after = margins.filter((_, index) => index % 2 === 1);
  const fill = mode === 'constant' && c.operands[2] ? (c.constant(2).data[0] ?? 0) : 0;
  return pad(c, c.value(0), before, after, mode, fill);
}

function resizing(c: Context, mode: 'linear' | 'nearest', alignCorners: boolean, halfPixel: boolean): Value {
  const [height, width] = c.integers(1) as [number, number];
  if (alignCorners) {
    return resize(c, c.value(0), [height, width], {
      mode,
      coordinates: 'align_corners',
      rounding: 'round_prefer_ceil',
    });
  }
  const half = mode === 'linear' ? 'half_pixel' : 'tf_half_pixel_for_nn';
  const coordinates = halfPixel ? half : 'asymmetric';
  return resize(c, c.value(0), [height, width], { mode, coordinates, rounding: 'floor' });
}

/** x / (bias + alpha sum over 2 radius + 1 channels of x^2)^beta; ours divides alpha by the window's size. */
function localResponseNorm(c: Context): Value {
  const input = asMaps(c, c.value(0));
  const [radius, bias, alpha, beta] = [
    c.attributes.i32(0),
    c.attributes.f32(1),
    c.attributes.f32(2),
    c.attributes.f32(3),
  ];
  const size = 2 * radius + 1;
  const layer = c.builder.add({
    name: c.name,
    inputs: [input.layer],
    kind: 'localResponseNorm',
    size,
    before: radius,
    alpha: alpha * size,
    beta,
    k: bias,
  });
  return { layer, order: input.order };
}

/** Over the last axis. */
function l2Normalization(c: Context): Value {
  const input = c.value(0);
  const axis = ourAxis(input, c.shape(input).length - 1);
  const layer = c.builder.add({ name: c.name, inputs: [input.layer], kind: 'l2Normalize', axis, epsilon: 1e-6 });
  return c.fused({ layer, order: input.order }, 0);
}

function squaredDifference(c: Context): Value {
  const difference = binary(c, 'sub', c.operand(0), c.operand(1), `${c.name}_difference`);
  return binary(c, 'mul', difference, difference);
}

function softmaxOperator(c: Context): Value {
  if (c.attributes.f32(0) !== 1) notMapped(`beta = ${c.attributes.f32(0)}`);
  return softmax(c, c.value(0), -1);
}

function concatenation(c: Context): Operand {
  const operands = c.operands.map((_, place) => c.operand(place));
  if (operands.every(isConstant)) {
    const data = Float32Array.from(operands.flatMap((operand) => [...operand.data]));
    return operands.every(({ shape }) => shape.length === 1) ? { shape: [data.length], data } : notMapped('constants');
  }
  const values = operands.map((_, place) => c.value(place));
  return c.fused(concat(c, values, c.attributes.i32(0)), 1);
}

const identity: Converter = (c) => c.operand(0);

function squeezeOperator(c: Context): Value {
  const axes = c.attributes.i32s(0);
  return squeeze(c, c.value(0), axes.length > 0 ? axes : null);
}

function expandDims(c: Context): Value {
  const shape = c.shape(c.value(0));
  const place = positiveAxis(c.integers(1)[0] as number, shape.length + 1);
  if (place === 0) notMapped('an axis before the batch');
  return reshape(c, c.value(0), [...shape.slice(1, place), 1, ...shape.slice(place)]);
}

/** By the names of `BuiltinOperator`. */
export const OPERATORS: Readonly<Record<string, Converter>> = {
  CONV_2D: convolution,
  DEPTHWISE_CONV_2D: depthwise,
  FULLY_CONNECTED: fullyConnected,
  AVERAGE_POOL_2D: pooling('averagePool'),
  MAX_POOL_2D: pooling('maxPool'),
  ADD: arithmetic('add'),
  SUB: arithmetic('sub'),
  MUL: arithmetic('mul'),
  DIV: arithmetic('div'),
  MAXIMUM: arithmetic('max', false),
  MINIMUM: arithmetic('min', false),
  POW: arithmetic('pow', false),
  ADD_N: (c) =>
    combine(
      c,
      'add',
      c.operands.map((_, place) => c.value(place)),
    ),
  SQUARE: (c) => binary(c, 'mul', c.value(0), c.value(0)),
  SQUARED_DIFFERENCE: squaredDifference,
  CONCATENATION: concatenation,
  SPLIT: split,
  RESHAPE: reshapeOperator,
  SQUEEZE: squeezeOperator,
  EXPAND_DIMS: expandDims,
  TRANSPOSE: (c) => transpose(c, c.value(0), c.integers(1)),
  STRIDED_SLICE: stridedSlice,
  SHAPE: shapeOf,
  PACK: pack,
  GATHER: gather,
  SPACE_TO_BATCH_ND: spaceToBatchOperator,
  BATCH_TO_SPACE_ND: (c) => batchToSpace(c, c.anyValue(0), c.integers(1), c.integers(2)),
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
  LOCAL_RESPONSE_NORMALIZATION: localResponseNorm,
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
  RSQRT: (c) => unary(c, 'reciprocal', unary(c, 'sqrt', c.value(0), `${c.name}_root`)),
  QUANTIZE: identity,
  DEQUANTIZE: identity,
  CAST: identity,
};
