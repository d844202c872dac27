import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { pointwise, type PointwiseFunction } from '../pointwise/pointwise.js';

const UNARY = {
  exp: { value: 'exp(x)', gradient: 'dy * y', gradientOf: 'output' },
  log: { value: 'log(x)', gradient: 'dy / x', gradientOf: 'input' },
  sqrt: { value: 'sqrt(x)', gradient: '0.5 * dy / y', gradientOf: 'output' },
  neg: { value: '-x', gradient: '-dy', gradientOf: 'output' },
  abs: { value: 'abs(x)', gradient: 'dy * sign(x)', gradientOf: 'input' },
  reciprocal: { value: '1.0 / x', gradient: '-dy * y * y', gradientOf: 'output' },
  /** Absolute error below 2e-7: see functions.wgsl. */
  erf: { value: 'errorFunction(x)', gradient: 'dy * errorFunctionDerivative(x)', gradientOf: 'input' },
  // Steps: their gradient is 0 wherever they have one.
  sign: { value: 'sign(x)', gradient: 'vec4f()', gradientOf: 'output' },
  floor: { value: 'floor(x)', gradient: 'vec4f()', gradientOf: 'output' },
  ceil: { value: 'ceil(x)', gradient: 'vec4f()', gradientOf: 'output' },
  /** To the nearest integer, halves to the even one. */
  round: { value: 'round(x)', gradient: 'vec4f()', gradientOf: 'output' },
  trunc: { value: 'trunc(x)', gradient: 'vec4f()', gradientOf: 'output' },
  /** 1 where x is 0, else 0. */
  not: { value: 'select(vec4f(), vec4f(1.0), x == vec4f())', gradient: 'vec4f()', gradientOf: 'output' },
  isNaN: { value: 'isNotANumber(x)', gradient: 'vec4f()', gradientOf: 'output' },
  isInf: { value: 'isInfinite(x)', gradient: 'vec4f()', gradientOf: 'output' },
} as const satisfies Record<string, PointwiseFunction>;

export type UnaryKind = keyof typeof UNARY;

/** A function of one variable, element by element, of a tensor of any shape. */
export const unary = (b: PlanBuilder, kind: UnaryKind, x: Tensor): Tensor => pointwise(b, kind, x, UNARY[kind]);
