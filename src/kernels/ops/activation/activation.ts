import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { pointwise, pointwiseGradient } from '../pointwise/pointwise.js';
import { type Activation, activationFunction } from './kinds.js';

export type { Activation } from './kinds.js';

/** Elementwise activation of a tensor of any shape. Throws `INVALID_ARGUMENT` for parameters that it does not take. */
export function activation(b: PlanBuilder, x: Tensor, kind: Activation): Tensor {
  const f = activationFunction(kind);
  return pointwise(b, f.kind, x, f);
}

/**
 * Gradient in front of an activation that a kernel has fused, from its output `y` and the gradient `dy` behind it: for kinds
 * whose gradient is told from the output.
 */
export function activationGradient(b: PlanBuilder, y: Tensor, dy: Tensor, kind: Activation): Tensor {
  const f = activationFunction(kind);
  return pointwiseGradient(b, f.kind, y, dy, f);
}
