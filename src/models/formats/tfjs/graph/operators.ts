import type { Activation } from '../../../network.js';
import { depthwiseConv2d, conv2d, batchNorm, dense, prelu } from '../../tensorflow/weighted.js';
import { permuted } from '../../tensorflow/arrange.js';
import {
  activation,
  binary,
  type BinaryOperator,
  combine,
  softmax,
  unary,
  type UnaryOperator,
} from '../../tensorflow/elementwise.js';
import type { Operand } from '../../tensorflow/operatorContext.js';
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
} from '../../tensorflow/operators.js';
import { gather, pack, shapeOf, split, stridedSlice } from '../../tensorflow/ranges.js';
import { depthToSpace, slice, spaceToDepth, squeeze, transpose } from '../../tensorflow/shaping.js';
import { pool, reduce } from '../../tensorflow/spatial.js';
import { type Constant, isConstant, notMapped, type Value } from '../../tensorflow/value.js';
import type { Context } from './context.js';

/** The outputs of a node. */
export type Converter = (c: Context) => Operand | readonly Operand[];

/** `[null, height, width, channels]`; a side that is open is the one that the import gives. */
export function placeholder(c: Context): Value {
  const shape = c.attributes.shape('shape');
  const [, height, width, channels] = shape ?? [];
  if (shape?.length !== 4 || !channels || channels < 1) {
    return notMapped(`shape = ${JSON.stringify(shape)}; pictures are [null, height, width, channels]`);
  }
  const side = (size: number | undefined) => (size && size > 0 ? size : (c.options.inputSize ?? 224));
  const ours = [channels, side(height), side(width)];
  const layer = c.builder.add({ name: c.name, inputs: [], kind: 'input', shape: ours, batched: true, type: 'float32' });
  return { layer, order: 'maps' };
}

/** Kernel [kh, kw, in / groups, out], or [kh, kw, channels, multiplier]. */
function convolution(c: Context, isDepthwise: boolean, bias: Constant | null): Value {
  const kernel = c.constant(1);
  if (kernel.shape.length !== 4) return notMapped(`a kernel [${kernel.shape.join(', ')}]`);
  const [input, window, finish] = dilatable(c, c.window());
  return finish((isDepthwise ? depthwiseConv2d : conv2d)(c, input, kernel, bias, window));
}

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  Relu: 'relu',
  Relu6: 'relu6',
  Elu: { kind: 'elu', alpha: 1 },
  Sigmoid: 'sigmoid',
  Tanh: 'tanh',
};

/** What TensorFlow's optimiser has put into one node: a bias or a batch norm first, then an activation. */
const fusedConvolution =
  (isDepthwise: boolean): Converter =>
  (c) => {
    const [first, ...rest] = c.attributes.texts('fused_ops');
    const bias = first === 'BiasAdd' ? c.constant(2) : null;
    const result = convolution(c, isDepthwise, bias);
    if (first === 'BiasAdd') return fusedActivation(c, result, rest);
    if (first !== 'FusedBatchNorm') return notMapped(`fused_ops = ${first}`);
    const epsilon = c.attributes.number('epsilon', 1e-3);
    const affine = { scale: c.constant(2), offset: c.constant(3), epsilon };
    return fusedActivation(c, batchNorm(c, result, affine, c.constant(4), c.constant(5), 0.01), rest);
  };

function fusedActivation(c: Context, value: Value, rest: readonly string[]): Value {
  const [kind, ...others] = rest;
  if (kind === undefined) return value;
  const name = `${c.name}/${kind}`;
  if (others.length > 0) return notMapped(`fused_ops = ${rest.join(', ')}`);
  if (kind === 'Prelu') return prelu(c, value, c.constant(3));
  if (kind === 'LeakyRelu') {
    return activation(c, value, { kind: 'leakyRelu', slope: c.attributes.number('leakyrelu_alpha', 0.2) }, name);
  }
  const known = Object.hasOwn(ACTIVATIONS, kind) ? ACTIVATIONS[kind] : undefined;
  return known ? activation(c, value, known, name) : notMapped(`fused_ops = ${kind}`);
}

/** [N, in] times a constant [in, out]. */
function product(c: Context, bias: Constant | null): Value {
  if (c.attributes.flag('transpose_a')) notMapped('transpose_a = true');
  const matrix = c.constant(1);
  if (matrix.shape.length !== 2) return notMapped(`a matrix [${matrix.shape.join(', ')}]`);
  return dense(c, c.value(0), c.attributes.flag('transpose_b') ? permuted(matrix, [1, 0]) : matrix, bias);
}

function fusedProduct(c: Context): Value {
  const [first, ...rest] = c.attributes.texts('fused_ops');
  if (first !== 'BiasAdd') return notMapped(`fused_ops = ${first}`);
  return fusedActivation(c, product(c, c.constant(2)), rest);
}

/** Into the layer before it where that has none and nothing else reads it. */
function biasAdd(c: Context): Value {
  const [input, bias] = [c.value(0), c.constant(1)];
  const layer = c.builder.layer(input.layer);
  const takesBias = (layer.kind === 'conv2d' || layer.kind === 'dense') && layer.bias === null;
  if (!takesBias || c.readersOf(0) > 1 || c.builder.isRead(layer.name)) return binary(c, 'add', input, bias);
  c.builder.replace({ ...layer, bias: c.weight('bias', [bias.data.length], bias.data) });
  return input;
}

function fusedBatchNorm(c: Context): Value {
  const affine = { scale: c.constant(1), offset: c.constant(2), epsilon: c.attributes.number('epsilon', 1e-3) };
  return batchNorm(c, c.value(0), affine, c.constant(3), c.constant(4), 0.01);
}

const pooling =
  (kind: 'maxPool' | 'averagePool'): Converter =>
  (c) =>
    pool(c, kind, c.value(0), c.sides('ksize'), c.window());

const reduction =
  (operator: 'mean' | 'sum' | 'max' | 'min'): Converter =>
  (c) =>
    reduce(c, operator, c.value(0), c.integers(1), c.attributes.flag('keep_dims'));

const arithmeticOf =
  (operator: BinaryOperator): Converter =>
  (c) =>
    arithmetic(c, operator);

const activationOf =
  (kind: Activation): Converter =>
  (c) =>
    activation(c, c.value(0), kind);

const unaryOf =
  (operator: UnaryOperator): Converter =>
  (c) =>
    unary(c, operator, c.value(0));

const resizingOf =
  (mode: 'linear' | 'nearest'): Converter =>
  (c) =>
    resizing(c, mode, c.attributes.flag('align_corners'), c.attributes.flag('half_pixel_centers'));

/** The axis is the last input. */
function concatOperator(c: Context): Operand {
  const last = c.operands.length - 1;
  return concatenation(c, last, c.integers(last)[0] as number);
}

function stridedSliceOperator(c: Context): Operand {
  const mask = (key: string) => c.attributes.integer(key, 0);
  return stridedSlice(c, {
    begin: mask('begin_mask'),
    end: mask('end_mask'),
    ellipsis: mask('ellipsis_mask'),
    newAxis: mask('new_axis_mask'),
    shrink: mask('shrink_axis_mask'),
  });
}

/** Begins and sizes; -1 goes on to the end. */
function sliceOperator(c: Context): Value {
  const [begin, sizes] = [c.integers(1), c.integers(2)];
  const shape = c.shape(c.value(0));
  const ranges = begin.map((start, axis) => {
    const size = sizes[axis] as number;
    return { axis, start, end: size === -1 ? (shape[axis] as number) : start + size, step: 1 };
  });
  return slice(c, c.value(0), ranges);
}

function squeezeOperator(c: Context): Value {
  const axes = c.attributes.integers('squeeze_dims');
  return squeeze(c, c.value(0), axes.length > 0 ? axes : null);
}

function prod(c: Context): Constant {
  const { data } = c.constant(0);
  return { shape: [], data: Float32Array.of(data.reduce((result, size) => result * size, 1)) };
}

function mirrorPad(c: Context): Value {
  const mode = c.attributes.text('mode', 'REFLECT');
  return mode === 'REFLECT' ? padding(c, 'reflect') : notMapped(`mode = ${mode}`);
}

function selu(c: Context): Value {
  // Klambauer et al. 2017, section 2.
  const elu = activation(c, c.value(0), { kind: 'elu', alpha: 1.6732632423543772 }, `${c.name}_elu`);
  return binary(c, 'mul', elu, { shape: [], data: Float32Array.of(1.0507009873554805) });
}

const identity: Converter = (c) => c.operands[0] ?? notMapped('no input');

const responseNorm: Converter = (c) =>
  localResponseNorm(c, {
    radius: c.attributes.integer('depth_radius', 5),
    bias: c.attributes.number('bias', 1),
    alpha: c.attributes.number('alpha', 1),
    beta: c.attributes.number('beta', 0.5),
  });

/** Of a list of sizes, or of a value that the last input says the axis of. */
const gatherOperator: Converter = (c) => (isConstant(c.operand(0)) ? gather(c) : notMapped('indices of a value'));

export const OPERATORS: Readonly<Record<string, Converter>> = {
  Placeholder: placeholder,
  Conv2D: (c) => convolution(c, false, null),
  DepthwiseConv2dNative: (c) => convolution(c, true, null),
  _FusedConv2D: fusedConvolution(false),
  FusedDepthwiseConv2dNative: fusedConvolution(true),
  MatMul: (c) => product(c, null),
  _FusedMatMul: fusedProduct,
  BiasAdd: biasAdd,
  FusedBatchNorm: fusedBatchNorm,
  FusedBatchNormV2: fusedBatchNorm,
  FusedBatchNormV3: fusedBatchNorm,
  MaxPool: pooling('maxPool'),
  AvgPool: pooling('averagePool'),
  Mean: reduction('mean'),
  Sum: reduction('sum'),
  Max: reduction('max'),
  Min: reduction('min'),
  Prod: prod,
  Add: arithmeticOf('add'),
  AddV2: arithmeticOf('add'),
  Sub: arithmeticOf('sub'),
  Mul: arithmeticOf('mul'),
  Div: arithmeticOf('div'),
  RealDiv: arithmeticOf('div'),
  Maximum: arithmeticOf('max'),
  Minimum: arithmeticOf('min'),
  Pow: arithmeticOf('pow'),
  AddN: (c) => combine(c, 'add', c.values()),
  SquaredDifference: squaredDifference,
  Square: (c) => binary(c, 'mul', c.value(0), c.value(0)),
  Relu: activationOf('relu'),
  Relu6: activationOf('relu6'),
  LeakyRelu: (c) => activation(c, c.value(0), { kind: 'leakyRelu', slope: c.attributes.number('alpha', 0.2) }),
  Prelu: (c) => prelu(c, c.value(0), c.constant(1)),
  Elu: activationOf({ kind: 'elu', alpha: 1 }),
  Selu: selu,
  Sigmoid: activationOf('sigmoid'),
  Tanh: activationOf('tanh'),
  Softplus: activationOf('softplus'),
  Softmax: (c) => softmax(c, c.value(0), -1),
  LogSoftmax: (c) => softmax(c, c.value(0), -1, 'logSoftmax'),
  Abs: unaryOf('abs'),
  Exp: unaryOf('exp'),
  Log: unaryOf('log'),
  Neg: unaryOf('neg'),
  Sqrt: unaryOf('sqrt'),
  Erf: unaryOf('erf'),
  Reciprocal: unaryOf('reciprocal'),
  Rsqrt: reciprocalRoot,
  Reshape: (c) => reshapeTo(c, c.integers(1)),
  Squeeze: squeezeOperator,
  ExpandDims: expandDims,
  Transpose: (c) => transpose(c, c.value(0), c.integers(1)),
  ConcatV2: concatOperator,
  Split: (c) => split(c, c.value(1), c.attributes.integer('num_split', 1), c.integers(0)[0] as number),
  Slice: sliceOperator,
  StridedSlice: stridedSliceOperator,
  Shape: shapeOf,
  Pack: pack,
  Gather: gatherOperator,
  GatherV2: gatherOperator,
  Pad: (c) => padding(c, 'constant'),
  PadV2: (c) => padding(c, 'constant'),
  MirrorPad: mirrorPad,
  ResizeBilinear: resizingOf('linear'),
  ResizeNearestNeighbor: resizingOf('nearest'),
  SpaceToBatchND: spaceToBatchOperator,
  BatchToSpaceND: batchToSpaceOperator,
  DepthToSpace: (c) => depthToSpace(c, c.value(0), c.attributes.integer('block_size', 1)),
  SpaceToDepth: (c) => spaceToDepth(c, c.value(0), c.attributes.integer('block_size', 1)),
  LRN: responseNorm,
  Identity: identity,
  StopGradient: identity,
  Cast: identity,
};
