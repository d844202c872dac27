import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { operand } from '../elementwise/broadcast.js';
import { elementwise } from '../elementwise/elementwise.js';
import functions from './functions.wgsl.js';

/** A function of one variable in WGSL, over vec4f element by element; it may call what functions.wgsl has. */
export interface PointwiseFunction {
  /** Of the input `x`. */
  readonly value: string;
  /** dx, of `dy` and of the input `x` or the output `y`, as `gradientOf` says. */
  readonly gradient: string;
  readonly gradientOf: 'input' | 'output';
}

/** y = f(x), element by element, of a tensor of any shape. */
export function pointwise(b: PlanBuilder, label: string, x: Tensor, f: PointwiseFunction): Tensor {
  const y = b.temporary(`${label} ${x.label}`, x.shape, { layout: x.layout, dtype: x.dtype });
  const formula = { names: ['x'], expression: f.value, functions };
  elementwise(b, { label, formula, operands: [operand(x)] }, y);
  return b.differentiable([x], y, (dy) => [pointwiseGradient(b, label, f.gradientOf === 'input' ? x : y, dy, f)]);
}

/** The gradient in front of a function, from its input or output (as `gradientOf` says) and the gradient behind it. */
export function pointwiseGradient(
  b: PlanBuilder,
  label: string,
  value: Tensor,
  dy: Tensor,
  { gradient, gradientOf }: PointwiseFunction,
): Tensor {
  const dx = b.temporary(`d ${value.label}`, value.shape, { layout: value.layout, dtype: value.dtype });
  const formula = { names: [gradientOf === 'input' ? 'x' : 'y', 'dy'], expression: gradient, functions };
  return elementwise(b, { label: `${label} gradient`, formula, operands: [operand(value), operand(dy)] }, dx);
}
