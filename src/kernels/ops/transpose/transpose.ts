import { write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { copyView } from '../view/copyView.js';
import { show, stridesOf } from '../view/view.js';

/**
 * Permutes the dimensions: dimension i of the result is dimension `permutation[i]` of `x`, in `x`'s layout.
 * Throws `INVALID_ARGUMENT` where `permutation` is none.
 */
export function transpose(b: PlanBuilder, x: Tensor, permutation: readonly number[]): Tensor {
  const isPermutation = permutation.length === x.shape.length && x.shape.every((_, axis) => permutation.includes(axis));
  if (!isPermutation) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `transpose of ${show(x)}: [${permutation.join(', ')}] is no permutation of its ${x.shape.length} dimensions.`,
    );
  }
  const y = permuted(b, x, permutation);
  const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
  return b.differentiable([x], y, (dy) => [permuted(b, dy, inverse)]);
}

function permuted(b: PlanBuilder, x: Tensor, permutation: readonly number[]): Tensor {
  const shape = permutation.map((axis) => x.shape[axis] as number);
  const y = b.temporary(`transpose ${x.label}`, shape, { layout: x.layout, dtype: x.dtype });
  const [from, to] = [stridesOf(x), stridesOf(y)];
  const axes = permutation.map((axis, i) => ({
    size: shape[i] as number,
    from: from[axis] as number,
    to: to[i] as number,
  }));
  copyView(b, { label: 'transpose', source: x, target: write(y), axes });
  return y;
}
