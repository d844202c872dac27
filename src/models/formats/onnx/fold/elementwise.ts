import type { ValueType } from '../../../layers/input.js';
import type { Operation } from '../node.js';
import { isInteger, valueType } from '../types.js';
import type { Constant } from '../value.js';
import { type Budget, broadcastShape, broadcastStrides, type Fold, stridesOf, walk } from './folder.js';

type Compute = (...values: number[]) => number;

/** A function of some constants, element by element, that broadcast. */
function computed(op: Operation, budget: Budget, parts: readonly Constant[], type: ValueType, f: Compute): Constant {
  const shape = broadcastShape(
    op,
    parts.map((part) => part.shape),
  );
  const views = parts.map((part) => ({ start: 0, strides: broadcastStrides(part.shape, shape) }));
  return budget.make(op, shape, type, (data) => {
    const values = parts.map(() => 0);
    walk(shape, views, (index, places) => {
      for (let i = 0; i < parts.length; i++) values[i] = parts[i]?.data[places[i] as number] as number;
      data[index] = f(...values);
    });
  });
}

const all = (op: Operation): Constant[] => op.inputs.map((_, index) => op.required(index));

/** Results have the first input's type; of integers they are whole. */
const arithmetic = (f: Compute): Fold => {
  return (op, budget) => {
    const type = op.type();
    return computed(op, budget, all(op), type, isInteger(type) ? (...values) => Math.trunc(f(...values)) : f);
  };
};

const compared = (f: (a: number, b: number) => boolean): Fold => {
  return (op, budget) => computed(op, budget, all(op), 'bool', (a, b) => Number(f(a as number, b as number)));
};

/** Two or more inputs, one after another. */
const chained = (f: (a: number, b: number) => number): Fold =>
  arithmetic((first, ...rest) => rest.reduce(f, first as number));

const unary = (f: (x: number) => number): Fold => arithmetic((x) => f(x as number));

/** To integers towards zero, to truth values; other types stay as they are, rounded to float32 at most. */
function cast(op: Operation, budget: Budget, to: ValueType | null): Constant | null {
  const source = op.required(0);
  const plain: readonly (ValueType | null)[] = ['float32', 'float64'];
  if (to === source.type || (plain.includes(to) && source.data instanceof Float32Array && to === 'float32')) {
    return budget.view(op, source, source.shape, to);
  }
  if (to === 'bool') return computed(op, budget, [source], to, (x) => Number(x !== 0));
  if (plain.includes(to)) return computed(op, budget, [source], to as ValueType, (x) => x as number);
  return to === 'int64' || to === 'int32' ? computed(op, budget, [source], to, (x) => Math.trunc(x as number)) : null;
}

const halfToEven = (x: number): number => {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
};

/** A constant along an axis of another one's shape: one value for all, one for each place, or one a block. */
function alongAxis(op: Operation, constant: Constant, shape: readonly number[], axis: number): Constant {
  if (constant.data.length === 1) return { ...constant, shape: [] };
  if (constant.shape.length === 1) {
    return { ...constant, shape: [constant.data.length, ...shape.slice(axis + 1).map(() => 1)] };
  }
  const size = op.int('block_size', 0) || 1;
  if (constant.shape.length !== shape.length) return op.fail(`${constant.name} does not fit its input.`);
  const strides = stridesOf(constant.shape);
  const data = Float32Array.from({ length: shape.reduce((product, length) => product * length, 1) }, (_, index) => {
    let [rest, at] = [index, 0];
    for (let i = shape.length - 1; i >= 0; i--) {
      const place = rest % (shape[i] as number);
      rest = Math.floor(rest / (shape[i] as number));
      at += (i === axis ? Math.floor(place / size) : place) * (strides[i] as number);
    }
    return constant.data[at] ?? op.fail(`${constant.name} has no value for some block.`);
  });
  return { ...constant, shape, data };
}

/** Quantised weights as floats: they may train as such. */
const dequantize: Fold = (op, budget) => {
  const x = op.required(0);
  const rank = x.shape.length;
  const axis = op.int('axis', 1);
  const at = rank === 0 || axis >= rank ? 0 : axis < 0 ? axis + rank : axis;
  const scale = alongAxis(op, op.required(1), x.shape, at);
  const zero = op.inputs[2] ? alongAxis(op, op.required(2), x.shape, at) : null;
  const type = op.type(1);
  const result = zero
    ? computed(
        op,
        budget,
        [x, scale, zero],
        type,
        (value, factor, centre) => ((value as number) - (centre as number)) * (factor as number),
      )
    : computed(op, budget, [x, scale], type, (value, factor) => (value as number) * (factor as number));
  return { ...result, isWeight: true };
};

export const ELEMENTWISE_FOLDS: Readonly<Record<string, Fold>> = {
  Add: chained((a, b) => a + b),
  Sum: chained((a, b) => a + b),
  Max: chained(Math.max),
  Min: chained(Math.min),
  Sub: arithmetic((a, b) => (a as number) - (b as number)),
  Mul: arithmetic((a, b) => (a as number) * (b as number)),
  Div: arithmetic((a, b) => (a as number) / (b as number)),
  Pow: arithmetic((a, b) => (a as number) ** (b as number)),
  Mod: arithmetic((a, b) => {
    const rest = (a as number) % (b as number);
    return rest !== 0 && rest < 0 !== (b as number) < 0 ? rest + (b as number) : rest;
  }),
  Abs: unary(Math.abs),
  Neg: unary((x) => -x),
  Sqrt: unary(Math.sqrt),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Round: unary(halfToEven),
  Sign: unary(Math.sign),
  Reciprocal: unary((x) => 1 / x),
  Relu: unary((x) => Math.max(0, x)),
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Tanh: unary(Math.tanh),
  Not: (op, budget) => computed(op, budget, [op.required(0)], 'bool', (x) => Number(x === 0)),
  Equal: compared((a, b) => a === b),
  Less: compared((a, b) => a < b),
  LessOrEqual: compared((a, b) => a <= b),
  Greater: compared((a, b) => a > b),
  GreaterOrEqual: compared((a, b) => a >= b),
  And: compared((a, b) => a !== 0 && b !== 0),
  Or: compared((a, b) => a !== 0 || b !== 0),
  Where: (op, budget) =>
    computed(op, budget, all(op), op.type(1), (c, x, y) => (c !== 0 ? (x as number) : (y as number))),
  Cast: (op, budget) => cast(op, budget, valueType(op.int('to', 1))),
  CastLike: (op, budget) => cast(op, budget, op.type(1)),
  DequantizeLinear: dequantize,
};
