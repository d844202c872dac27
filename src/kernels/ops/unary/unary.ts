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
} as const satisfies Record<string, PointwiseFunction>;

export type UnaryKind = keyof typeof UNARY;

/** A function of one variable, element by element, of a tensor of any shape. */
export const unary = (b: PlanBuilder, kind: UnaryKind, x: Tensor): Tensor => pointwise(b, kind, x, UNARY[kind]);
