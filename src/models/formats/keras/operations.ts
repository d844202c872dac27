import {
  activation,
  binary,
  type BinaryOperator,
  softmax,
  unary,
  type UnaryOperator,
} from '../tensorflow/elementwise.js';
import { concat, reshape, squeeze } from '../tensorflow/shaping.js';
import { reduce } from '../tensorflow/spatial.js';
import { type Constant, notMapped, type Value } from '../tensorflow/value.js';
import { activate } from './activations.js';
import type { Context, KerasOperand } from './context.js';
import { show } from './json.js';
import type { Converter } from './layers.js';

/** The operand at a place or under one of its names. */
function operand(c: Context, place: number, ...names: readonly string[]): KerasOperand | undefined {
  return c.operands[place] ?? names.map((name) => c.named.get(name)).find((found) => found !== undefined);
}

function tensor(given: KerasOperand | undefined): Value | Constant {
  if (given && 'value' in given) return given.value;
  const constant = given?.constant;
  if (typeof constant === 'number') return { shape: [], data: Float32Array.of(constant) };
  return notMapped(`the operand ${show(constant)}; it takes layers and numbers`);
}

const value = (given: KerasOperand | undefined): Value => {
  const found = tensor(given);
  return 'layer' in found ? found : notMapped('a number where a layer is expected');
};

const arithmetic =
  (operator: BinaryOperator): Converter =>
  (c) =>
    binary(c, operator, tensor(operand(c, 0, 'x1', 'x', 'a')), tensor(operand(c, 1, 'x2', 'y', 'b')));

const function_ =
  (operator: UnaryOperator): Converter =>
  (c) =>
    unary(c, operator, value(operand(c, 0, 'x')));

const named =
  (kind: string): Converter =>
  (c) =>
    activate(c, value(operand(c, 0, 'x', 'features', 'inputs')), kind, c.dialect);

/** An attribute of an operation: an argument, or part of its configuration. */
function attribute(c: Context, place: number, ...names: readonly string[]): unknown {
  const given = operand(c, place, ...names);
  if (given && 'constant' in given) return given.constant;
  return names.map((name) => c.layer.config[name]).find((found) => found !== undefined);
}

const isIntegers = (value: unknown): value is number[] => Array.isArray(value) && value.every(Number.isInteger);

const reduction =
  (operator: 'mean' | 'max' | 'min' | 'sum'): Converter =>
  (c) => {
    const input = value(operand(c, 0, 'x', 'input_tensor'));
    const axes = attribute(c, 1, 'axis');
    const list = typeof axes === 'number' ? [axes] : axes;
    if (!isIntegers(list)) return notMapped(`axis = ${show(axes)}`);
    return reduce(c, operator, input, list, attribute(c, 2, 'keepdims') === true);
  };

function reshapeOperation(c: Context): Value {
  const sizes = attribute(c, 1, 'newshape', 'new_shape', 'shape');
  if (!Array.isArray(sizes) || !isIntegers(sizes.slice(1))) return notMapped(`shape = ${show(sizes)}`);
  return reshape(c, value(operand(c, 0, 'x', 'tensor')), sizes.slice(1) as number[]);
}

function squeezeOperation(c: Context): Value {
  const axes = attribute(c, 1, 'axis') ?? null;
  const list = typeof axes === 'number' ? [axes] : axes;
  if (list !== null && !isIntegers(list)) return notMapped(`axis = ${show(axes)}`);
  return squeeze(c, value(operand(c, 0, 'x', 'input')), list);
}

function concatOperation(c: Context): Value {
  const axis = attribute(c, c.values.length, 'axis');
  return concat(c, c.values, typeof axis === 'number' ? axis : notMapped(`axis = ${show(axis)}`));
}

function clip(c: Context): Value {
  const bounds = [attribute(c, 1, 'x_min', 'clip_value_min'), attribute(c, 2, 'x_max', 'clip_value_max')];
  const [min, max] = bounds;
  if (typeof min !== 'number' || typeof max !== 'number') return notMapped(`bounds = ${show(bounds)}`);
  return activation(c, value(operand(c, 0, 'x', 't')), { kind: 'clip', min, max });
}

const add = arithmetic('add');
const subtract = arithmetic('sub');
const multiply = arithmetic('mul');
const divide = arithmetic('div');
const softmaxOperation: Converter = (c) => softmax(c, value(operand(c, 0, 'x', 'logits')), -1);

/** Operations of keras.ops (Keras 3) by class, and TensorFlow's functions in Keras 2's TFOpLambda layers by name. */
export const OPERATIONS: Readonly<Record<string, Converter>> = {
  Add: add,
  Subtract: subtract,
  Multiply: multiply,
  Divide: divide,
  TrueDivide: divide,
  Maximum: arithmetic('max'),
  Minimum: arithmetic('min'),
  Power: arithmetic('pow'),
  Exp: function_('exp'),
  Log: function_('log'),
  Sqrt: function_('sqrt'),
  Negative: function_('neg'),
  Absolute: function_('abs'),
  Relu: named('relu'),
  Relu6: named('relu6'),
  Sigmoid: named('sigmoid'),
  Tanh: named('tanh'),
  Silu: named('silu'),
  HardSigmoid: named('hard_sigmoid'),
  HardSilu: named('hard_silu'),
  Softmax: softmaxOperation,
  Mean: reduction('mean'),
  Max: reduction('max'),
  Min: reduction('min'),
  Sum: reduction('sum'),
  Reshape: reshapeOperation,
  Squeeze: squeezeOperation,
  Concatenate: concatOperation,
  Clip: clip,
  '__operators__.add': add,
  'math.add': add,
  'math.subtract': subtract,
  'math.multiply': multiply,
  'math.divide': divide,
  'math.truediv': divide,
  'math.maximum': arithmetic('max'),
  'math.minimum': arithmetic('min'),
  'math.reduce_mean': reduction('mean'),
  'math.reduce_max': reduction('max'),
  'math.sigmoid': named('sigmoid'),
  'math.exp': function_('exp'),
  'math.sqrt': function_('sqrt'),
  'nn.relu': named('relu'),
  'nn.relu6': named('relu6'),
  'nn.silu': named('silu'),
  'nn.softmax': softmaxOperation,
  clip_by_value: clip,
  concat: concatOperation,
  reshape: reshapeOperation,
  squeeze: squeezeOperation,
};
