import type { Activation } from '../../network.js';
import type { BinaryLayer, UnaryLayer } from '../../layers/elementwise.js';
import { flatToChw, permuted } from './arrange.js';
import {
  alike,
  type Constant,
  isConstant,
  notMapped,
  ourAxis,
  positiveAxis,
  asSame,
  type Target,
  type Value,
} from './value.js';

export type BinaryOperator = BinaryLayer['operator'];
export type UnaryOperator = UnaryLayer['operator'];

export function unary(target: Target, operator: UnaryOperator, { layer, order }: Value, name = target.name): Value {
  return { layer: target.builder.add({ name, inputs: [layer], kind: 'unary', operator }), order };
}

export function activation(target: Target, { layer, order }: Value, kind: Activation, name = target.name): Value {
  return { layer: target.builder.add({ name, inputs: [layer], kind: 'activation', activation: kind }), order };
}

/** Over `axis`, which counts the batch. */
export function softmax(
  target: Target,
  value: Value,
  axis: number,
  kind: 'softmax' | 'logSoftmax' = 'softmax',
  name = target.name,
): Value {
  const place = positiveAxis(axis, target.shape(value).length);
  if (place === 0) notMapped('a softmax over the batch');
  const layer = target.builder.add({ name, inputs: [value.layer], kind, axis: ourAxis(value, place) });
  return { layer, order: value.order };
}

/** A constant of the file as a layer, arranged to broadcast to `value` in the order that it has. It is not trained. */
function parameter(target: Target, constant: Constant, value: Value, name: string): string {
  const rank = target.shape(value).length;
  const full = [...Array(Math.max(0, rank - constant.shape.length)).fill(1), ...constant.shape] as number[];
  if (full.length > rank || full[0] !== 1) {
    notMapped(`a constant [${constant.shape.join(', ')}] with a value [${target.shape(value).join(', ')}]`);
  }
  const arranged = arrange({ shape: full, data: constant.data }, value);
  const first = arranged.shape.findIndex((size) => size !== 1);
  const shape = first < 0 ? [1] : arranged.shape.slice(first);
  return target.builder.add({
    name: `${name}_constant`,
    inputs: [],
    kind: 'parameter',
    shape,
    weight: target.weight('constant', shape, arranged.data),
    initial: 0,
    learningRateFactor: 0,
  });
}

function arrange(constant: Constant, { order }: Value): Constant {
  if (order === 'same' || constant.data.length === 1) return constant;
  if (order === 'maps') return permuted(constant, [0, 3, 1, 2]);
  return { shape: constant.shape, data: flatToChw(constant.data, order.flat) };
}

/** An operator on two operands that broadcast as in NumPy; at least one is a value. */
export function binary(
  target: Target,
  operator: BinaryOperator,
  left: Value | Constant,
  right: Value | Constant,
  name = target.name,
): Value {
  if (isConstant(left) && isConstant(right)) return notMapped('it has constants only');
  if (isConstant(left)) {
    if (operator === 'add' || operator === 'mul') return binary(target, operator, right, left, name);
    const value = right as Value;
    return combined(target, operator, [parameter(target, left, value, name), value.layer], value, name);
  }
  if (isConstant(right)) {
    const scaled = operator === 'mul' ? hardSigmoid(target, left, right, name) : null;
    if (scaled) return scaled;
    return combined(target, operator, [left.layer, parameter(target, right, left, name)], left, name);
  }
  const [x, y] = sameRank(target, left, right);
  const isSum = operator === 'add' && target.shape(x).join() === target.shape(y).join();
  if (isSum) {
    return { layer: target.builder.add({ name, inputs: [x.layer, y.layer], kind: 'add' }), order: x.order };
  }
  const swish = operator === 'mul' ? (hardSwish(target, x, y, name) ?? hardSwish(target, y, x, name)) : null;
  return swish ?? combined(target, operator, [x.layer, y.layer], x, name);
}

function combined(
  target: Target,
  operator: BinaryOperator,
  inputs: readonly [string, string],
  { order }: Value,
  name: string,
): Value {
  return { layer: target.builder.add({ name, inputs, kind: 'binary', operator }), order };
}

function sameRank(target: Target, left: Value, right: Value): [Value, Value] {
  const [x, y] = alike(target, [left, right]) as [Value, Value];
  const shapes = [target.shape(x), target.shape(y)] as const;
  const broadcasts = shapes[0].join() !== shapes[1].join();
  if (shapes[0].length !== shapes[1].length) {
    notMapped(`values [${shapes[0].join(', ')}] and [${shapes[1].join(', ')}] with different numbers of axes`);
  }
  return broadcasts && typeof x.order !== 'string' ? [asSame(target, x), asSame(target, y)] : [x, y];
}

/** Sum, largest, product ... of any number of values, one after another. */
export function combine(target: Target, operator: BinaryOperator, values: readonly Value[]): Value {
  const [first, ...rest] = values;
  if (!first || rest.length === 0) return notMapped('fewer than two inputs');
  const shape = target.shape(first).join();
  if (operator === 'add' && values.every((value) => target.shape(value).join() === shape)) {
    const inputs = alike(target, values);
    const layer = target.builder.add({ name: target.name, inputs: inputs.map((input) => input.layer), kind: 'add' });
    return { layer, order: (inputs[0] as Value).order };
  }
  return rest.reduce((result, value, index) => {
    const name = index === rest.length - 1 ? target.name : `${target.name}_${index}`;
    return binary(target, operator, result, value, name);
  }, first);
}

const SIXTH = 1 / 6;
const near = (constant: Constant, value: number): boolean =>
  constant.data.every((item) => Math.abs(item - value) < 1e-6) && constant.data.length === 1;

/** relu6(x + 3) / 6, as Keras writes MobileNetV3, is one activation here. `value` is the relu6. */
function hardSigmoid(target: Target, value: Value, factor: Constant, name: string): Value | null {
  if (!near(factor, SIXTH)) return null;
  const relu = target.builder.layer(value.layer);
  if (relu.kind !== 'activation' || relu.activation !== 'relu6') return null;
  const sum = target.builder.layer(relu.inputs[0] as string);
  if (sum.kind !== 'binary' || sum.operator !== 'add') return null;
  const constant = sum.inputs.map((input) => target.builder.layer(input)).find(({ kind }) => kind === 'parameter');
  const input = sum.inputs.find((candidate) => candidate !== constant?.name);
  if (constant?.kind !== 'parameter' || input === undefined) return null;
  const data = target.builder.weightData(constant.weight);
  if (!data || !near({ shape: [], data }, 3)) return null;
  return activation(
    target,
    { layer: input, order: value.order },
    { kind: 'hardSigmoid', alpha: SIXTH, beta: 0.5 },
    name,
  );
}

/** x hardSigmoid(x), with MobileNetV3's constants, is `hardSwish`. */
function hardSwish(target: Target, value: Value, gate: Value, name: string): Value | null {
  const layer = target.builder.layer(gate.layer);
  if (layer.kind !== 'activation' || typeof layer.activation === 'string') return null;
  const { activation: kind } = layer;
  if (kind.kind !== 'hardSigmoid' || Math.abs(kind.alpha - SIXTH) > 1e-6 || kind.beta !== 0.5) return null;
  return layer.inputs[0] === value.layer ? activation(target, value, 'hardSwish', name) : null;
}
