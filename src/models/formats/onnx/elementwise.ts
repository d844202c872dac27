import type { BinaryLayer, UnaryLayer } from '../../layers/elementwise.js';
import { asType, binary, type Converter, type Converters, show, unary } from './converter.js';
import type { Operation } from './node.js';
import { isInteger } from './types.js';
import type { Constant, Value } from './value.js';

const same = (op: Operation): Value => op.given(0);

/** Two inputs, element by element. */
function arithmetic(operator: BinaryLayer['operator'], integer: BinaryLayer['operator'] = operator): Converter {
  return (op) => {
    const type = op.type();
    const used = isInteger(type) ? integer : operator;
    const layer = op.add({ kind: 'binary', operator: used, inputs: [op.layer(0), op.layer(1)] });
    return op.value(asType(op, layer, type));
  };
}

const compared = (operator: BinaryLayer['operator']): Converter => {
  return (op) => op.value(op.add({ kind: 'binary', operator, inputs: [op.layer(0), op.layer(1)] }), 'bool');
};

const plain = (operator: UnaryLayer['operator']): Converter => {
  return (op) => op.value(op.add({ kind: 'unary', operator, inputs: [op.layer()] }));
};

const tested = (operator: UnaryLayer['operator']): Converter => {
  return (op) => op.value(op.add({ kind: 'unary', operator, inputs: [op.layer()] }), 'bool');
};

/** Any number of inputs, one after another. */
function chained(operator: BinaryLayer['operator'], finish: (op: Operation, sum: string) => string): Converter {
  return (op) => {
    const layers = op.inputs.map((_, index) => op.layer(index));
    const [first, ...rest] = layers;
    if (first === undefined) return op.fail('it has no inputs.');
    const all = rest.reduce((sum, next, index) => binary(op, `${operator}${index}`, operator, sum, next), first);
    return op.value(finish(op, all));
  };
}

/** Two or more layers; or a layer and a constant, which may be the bias of the convolution or dense layer before it. */
const add: Converter = (op) => {
  const constant = op.inputs.find((input) => input?.kind === 'constant');
  const biased = constant?.kind === 'constant' && op.inputs.length === 2 ? asBias(op, constant) : null;
  if (biased !== null) return op.value(biased);
  const inputs = op.inputs.map((_, index) => op.layer(index));
  const [first] = inputs;
  if (first === undefined) return op.fail('it has no inputs.');
  if (inputs.length === 1) return op.value(first);
  const areEqual = new Set(inputs.map((input) => show(op.shape(input)))).size === 1;
  const areBatched = new Set(inputs.map((input) => op.builder.isBatched(input))).size === 1;
  if (areEqual && areBatched) return op.value(asType(op, op.add({ kind: 'add', inputs }), op.type()));
  return chained('add', (_, sum) => asType(op, sum, op.type()))(op);
};

function asBias(op: Operation, constant: Constant): string | null {
  const name = op.layer(op.inputs.findIndex((input) => input?.kind === 'layer'));
  const layer = op.builder.layer(name);
  const shape = op.shape(name).slice(1);
  const [channels = 0] = shape;
  const expected = shape.map((size, axis) => (axis === 0 ? size : 1)).join();
  const isBias = constant.shape.join() === expected || constant.shape.join() === `1,${expected}`;
  const canTakeIt =
    (layer.kind === 'dense' || layer.kind === 'conv2d') && layer.bias === null && !op.builder.isRead(name);
  if (!isBias || !canTakeIt) return null;
  const bias = op.builder.weight(constant.name, [channels], Float32Array.from(constant.data));
  op.builder.replace({ ...layer, bias });
  return name;
}

/** A step of Pow on integers: by multiplications, so that it is exact. */
const pow: Converter = (op) => {
  const type = op.type();
  if (!isInteger(type)) return arithmetic('pow')(op);
  const operator = isInteger(op.type(1)) ? 'integerPow' : 'pow';
  const power = op.add({ kind: 'binary', operator, inputs: [op.layer(0), op.layer(1)] });
  return op.value(asType(op, operator === 'pow' ? unary(op, 'whole', 'round', power) : power, type));
};

const mod: Converter = (op) => {
  if (op.int('fmod', 0) === 1) return arithmetic('fmod')(op);
  if (!isInteger(op.type())) return op.problem('fmod = 0 of floats');
  return arithmetic('integerMod')(op);
};

/** Old operator sets have the bounds as attributes, newer ones as inputs. */
const clip: Converter = (op) => {
  const bound = (attribute: string, index: number): number | null | undefined => {
    if (op.has(attribute)) return op.float(attribute, 0);
    if (op.inputs[index] === undefined) return null;
    return op.constant(index)?.data[0];
  };
  const [min, max] = [bound('min', 1), bound('max', 2)];
  if (min === undefined || max === undefined) {
    const raised = op.inputs[1] ? binary(op, 'raised', 'max', op.layer(0), op.layer(1)) : op.layer(0);
    return op.value(op.inputs[2] ? binary(op, 'lowered', 'min', raised, op.layer(2)) : raised);
  }
  const open = (value: number | null) => (value === null || Math.abs(value) >= 3.4028234e38 ? null : value);
  const [low, high] = [open(min), open(max)];
  // ONNX takes the upper bound where they cross.
  const lowest = low !== null && high !== null ? Math.min(low, high) : low;
  if (lowest === null && high === null) return op.given(0);
  const inputs = [op.layer()];
  if (lowest === 0 && high === 6) return op.value(op.add({ kind: 'activation', inputs, activation: 'relu6' }));
  if (lowest === 0 && high === null) return op.value(op.add({ kind: 'activation', inputs, activation: 'relu' }));
  return op.value(op.add({ kind: 'activation', inputs, activation: { kind: 'clip', min: lowest, max: high } }));
};

/** Slopes of any shape that broadcasts; those of one channel each, or one for all, are a layer of their own. */
const prelu: Converter = (op) => {
  const slope = op.inputs[1];
  const shape = op.shape(op.layer());
  const channels = shape[1];
  if (slope?.kind === 'constant' && channels !== undefined) {
    const perChannel = [channels, ...shape.slice(2).map(() => 1)].join();
    const isPerChannel = slope.shape.join() === perChannel || slope.shape.join() === `1,${perChannel}`;
    if ((isPerChannel || slope.data.length === 1) && (shape.length === 2 || shape.length === 4)) {
      const weight = op.builder.weight(slope.name, [slope.data.length], Float32Array.from(slope.data));
      return op.value(op.add({ kind: 'prelu', inputs: [op.layer()], weight, slopes: slope.data.length }));
    }
  }
  const zero = op.numbers('zero', [0]);
  const [above, below] = (['max', 'min'] as const).map((operator) => binary(op, operator, operator, op.layer(), zero));
  const scaled = binary(op, 'sloped', 'mul', below as string, op.layer(1));
  return op.value(op.add({ kind: 'add', inputs: [above as string, scaled] }));
};

const where: Converter = (op) =>
  op.value(op.add({ kind: 'where', inputs: [op.layer(0), op.layer(1), op.layer(2)] }), op.type(1));

/** For inference: the values pass, the mask is true everywhere. */
const dropout: Converter = (op) => {
  const ratio = op.has('ratio') ? op.float('ratio', 0.5) : op.inputs[1] ? op.constant(1)?.data[0] : 0.5;
  const training = op.inputs[2] ? op.constant(2)?.data[0] : 0;
  if (ratio === undefined || training === undefined) return op.problem('ratio or training_mode is not a constant');
  if (training && ratio !== 0) return op.problem('training_mode = 1');
  const x = op.layer();
  const rate = ratio >= 0 && ratio < 1 ? ratio : 0;
  const layer = training ? x : op.add({ kind: 'dropout', inputs: [x], rate });
  if (!op.node.outputs[1]) return op.value(layer);
  const all = binary(op, 'mask', 'or', unary(op, 'isNaN', 'isNaN', x), op.numbers('one', [1]));
  return [op.value(layer), op.value(all, op.opset < 10 ? op.type() : 'bool')];
};

const mean = (op: Operation, sum: string): string =>
  op.inputs.length === 1 ? sum : binary(op, 'mean', 'div', sum, op.numbers('count', [op.inputs.length]));

export const ELEMENTWISE: Converters = {
  Add: add,
  Sum: add,
  Sub: arithmetic('sub'),
  Mul: arithmetic('mul'),
  Div: arithmetic('div', 'integerDiv'),
  Pow: pow,
  Mod: mod,
  Max: chained('max', (_, value) => value),
  Min: chained('min', (_, value) => value),
  Mean: chained('add', mean),
  Equal: compared('equal'),
  Less: compared('less'),
  LessOrEqual: compared('lessOrEqual'),
  Greater: compared('greater'),
  GreaterOrEqual: compared('greaterOrEqual'),
  And: compared('and'),
  Or: compared('or'),
  Xor: compared('xor'),
  Not: tested('not'),
  IsNaN: tested('isNaN'),
  IsInf: (op) =>
    op.int('detect_negative', 1) === 1 && op.int('detect_positive', 1) === 1
      ? tested('isInf')(op)
      : op.problem('infinities of one sign only'),
  Abs: plain('abs'),
  Neg: plain('neg'),
  Exp: plain('exp'),
  Log: plain('log'),
  Sqrt: plain('sqrt'),
  Erf: plain('erf'),
  Reciprocal: plain('reciprocal'),
  Sign: plain('sign'),
  Floor: plain('floor'),
  Ceil: plain('ceil'),
  Round: plain('round'),
  Clip: clip,
  PRelu: prelu,
  Where: where,
  Dropout: dropout,
  Identity: same,
};
