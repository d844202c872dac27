import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { type Activation, activation, activationGradient } from '../activation/activation.js';
import { splitActivation } from '../activation/fused.js';
import { activationFunction } from '../activation/kinds.js';
import { broadcastShape, layoutOfAll, type Operand, operand } from '../elementwise/broadcast.js';
import { elementwise, summed } from '../elementwise/elementwise.js';
import pointwiseFunctions from '../pointwise/functions.wgsl.js';
import integerFunctions from './integer.wgsl.js';
import powerFunctions from './power.wgsl.js';

/** A function of `a` and `b` in WGSL, over vec4f element by element. */
export interface BinaryFunction {
  readonly value: string;
  /** Gradients of a and b, of `dy` and of the operands that `reads` names; null for functions that have none. */
  readonly gradients: readonly [BinaryGradient, BinaryGradient] | null;
  readonly functions?: string;
}
interface BinaryGradient {
  readonly expression: string;
  readonly reads: readonly ('a' | 'b')[];
}

const AB = ['a', 'b'] as const;

/** Truth values are 1 and 0. */
const isTrue = (condition: string): string => `select(vec4f(), vec4f(1.0), ${condition})`;

const BINARY = {
  add: {
    value: 'a + b',
    gradients: [
      { expression: 'dy', reads: [] },
      { expression: 'dy', reads: [] },
    ],
  },
  sub: {
    value: 'a - b',
    gradients: [
      { expression: 'dy', reads: [] },
      { expression: '-dy', reads: [] },
    ],
  },
  mul: {
    value: 'a * b',
    gradients: [
      { expression: 'dy * b', reads: ['b'] },
      { expression: 'dy * a', reads: ['a'] },
    ],
  },
  div: {
    value: 'a / b',
    gradients: [
      { expression: 'dy / b', reads: ['b'] },
      { expression: '-dy * a / b / b', reads: AB },
    ],
  },
  // Equal operands share the gradient, as in PyTorch's maximum and minimum.
  max: {
    value: 'max(a, b)',
    gradients: [
      { expression: 'dy * 0.5 * (step(b, a) + 1.0 - step(a, b))', reads: AB },
      { expression: 'dy * 0.5 * (step(a, b) + 1.0 - step(b, a))', reads: AB },
    ],
  },
  min: {
    value: 'min(a, b)',
    gradients: [
      { expression: 'dy * 0.5 * (step(a, b) + 1.0 - step(b, a))', reads: AB },
      { expression: 'dy * 0.5 * (step(b, a) + 1.0 - step(a, b))', reads: AB },
    ],
  },
  pow: {
    value: 'power(a, b)',
    gradients: [
      { expression: 'dy * powerBaseDerivative(a, b)', reads: AB },
      { expression: 'dy * powerExponentDerivative(a, b)', reads: AB },
    ],
    functions: powerFunctions,
  },
  // a - b trunc(a / b): the remainder has the sign of a, as C's fmod.
  fmod: {
    value: 'a % b',
    gradients: [
      { expression: 'dy', reads: [] },
      { expression: '-dy * trunc(a / b)', reads: AB },
    ],
  },
  // Of integers below 2^31 in magnitude, exact: a quotient of floats that should be whole may fall short of it.
  integerDiv: { value: 'vec4f(vec4i(a) / vec4i(b))', gradients: null },
  integerPow: { value: 'integerPower(a, b)', gradients: null, functions: integerFunctions },
  /** The remainder has the sign of b, as Python's. */
  integerMod: { value: 'integerModulo(a, b)', gradients: null, functions: integerFunctions },
  equal: { value: isTrue('a == b'), gradients: null },
  less: { value: isTrue('a < b'), gradients: null },
  lessOrEqual: { value: isTrue('a <= b'), gradients: null },
  greater: { value: isTrue('a > b'), gradients: null },
  greaterOrEqual: { value: isTrue('a >= b'), gradients: null },
  // Of truth values: 0 is false, all else true.
  and: { value: isTrue('(a != vec4f()) & (b != vec4f())'), gradients: null },
  or: { value: isTrue('(a != vec4f()) | (b != vec4f())'), gradients: null },
  xor: { value: isTrue('(a != vec4f()) != (b != vec4f())'), gradients: null },
} as const satisfies Record<string, BinaryFunction>;

/** `pow`: of a negative base, the exponent must be an integer. */
export type BinaryKind = keyof typeof BINARY;

export interface BinaryOptions {
  /** Applied to the result. */
  readonly activation?: Activation | null;
}

/**
 * x `kind` y element by element, then the activation, in NumPy's and ONNX's broadcasting: shapes are aligned at their last
 * dimension, where a size of 1 and a missing dimension repeat; up to eight dimensions. The result lies in rows where an operand
 * does and its rank allows it (2 or 4), and is dense otherwise. Throws `INVALID_SHAPE` where the shapes do not broadcast.
 */
export function binary(b: PlanBuilder, kind: BinaryKind, x: Tensor, y: Tensor, options: BinaryOptions = {}): Tensor {
  return broadcastOperation(b, kind, BINARY[kind], operand(x), operand(y), options);
}

/** activation(x + y), broadcast: see `binary`. */
export const add = (b: PlanBuilder, x: Tensor, y: Tensor, options: BinaryOptions = {}): Tensor =>
  binary(b, 'add', x, y, options);

/** Any function of two operands that broadcast, with its gradients: those of a repeated operand are summed up. */
export function broadcastOperation(
  b: PlanBuilder,
  label: string,
  f: BinaryFunction,
  x: Operand,
  y: Operand,
  options: BinaryOptions = {},
): Tensor {
  const shape = broadcastShape(label, x.shape, y.shape);
  const operands = { a: x, b: y };
  const inputs = [x.tensor, y.tensor];
  const layout = layoutOfAll(inputs, shape);
  const dtype = inputs.find((tensor) => tensor.layout === layout)?.dtype;
  const result = b.temporary(`${x.tensor.label} ${label} ${y.tensor.label}`, shape, {
    layout,
    ...(dtype && { dtype }),
  });
  const { fused, separate } = splitActivation(options.activation, inputs);
  const finish = fused ? activationFunction(fused).value : 'x';
  const formula = {
    names: ['a', 'b'],
    expression: `finish(${f.value})`,
    functions: `${f.functions ?? ''}${fused ? pointwiseFunctions : ''}
fn finish(x: vec4f) -> vec4f {
  return ${finish};
}`,
  };
  elementwise(b, { label, formula, operands: [x, y] }, result);
  const { gradients } = f;
  if (!gradients) return result;
  b.differentiable(inputs, result, (gradient, needs) => {
    const dy = fused ? activationGradient(b, result, gradient, fused) : gradient;
    return AB.map((name, index) => {
      if (!needs[index]) return null;
      const { expression, reads } = gradients[index] as BinaryGradient;
      const partial = {
        label: `${label} gradient`,
        formula: { names: ['dy', ...reads], expression, ...(f.functions && { functions: f.functions }) },
        operands: [operand(dy), ...reads.map((read) => operands[read])],
      };
      const target = operands[name];
      const { tensor } = target;
      const isWhole = target.shape.join() === shape.join();
      if (isWhole && expression === 'dy' && tensor.layout === dy.layout && tensor.dtype === dy.dtype) return dy;
      const dTarget = b.temporary(`d ${tensor.label}`, tensor.shape, { layout: tensor.layout, dtype: tensor.dtype });
      if (isWhole) return elementwise(b, partial, dTarget);
      return summed(b, partial, shape, { tensor: dTarget, shape: target.shape });
    });
  });
  return separate ? activation(b, result, separate) : result;
}
