import { write } from '../../dispatch.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Shape, Tensor } from '../../tensor.js';
import { broadcastShape } from '../elementwise/broadcast.js';
import { reduceTo } from '../reduce/reduce.js';
import { copyView } from '../view/copyView.js';
import { show, stridesOf, temporaryLike } from '../view/view.js';

/**
 * Repeats dimensions of size 1, and along new leading dimensions, until the tensor has the shape that it and `shape` broadcast to
 * (ONNX's Expand). Dense tensors of any rank; rows stay rows where the rank stays.
 */
export function expand(b: PlanBuilder, x: Tensor, shape: Shape): Tensor {
  const expanded = broadcastShape(`expand of ${show(x)}`, x.shape, shape);
  if (expanded.join() === x.shape.join()) return x;
  const y = repeated(b, x, expanded);
  return b.differentiable([x], y, (dy) => [reduceTo(b, dy, x)]);
}

/** `x` at the shape to which it broadcasts, for use within a backward pass or another op: nothing goes on the tape. */
export function repeated(b: PlanBuilder, x: Tensor, shape: Shape): Tensor {
  const layout = shape.length === x.shape.length ? x.layout : 'dense';
  const y = b.temporary(`expand ${x.label}`, shape, temporaryLike(x, layout));
  const [from, to] = [stridesOf(x), stridesOf(y)];
  const added = shape.length - x.shape.length;
  const axes = shape.map((size, axis) => {
    const own = axis < added ? 1 : (x.shape[axis - added] as number);
    return { size, from: own === 1 ? 0 : (from[axis - added] as number), to: to[axis] as number };
  });
  copyView(b, { label: 'expand', source: x, target: write(y), axes });
  return y;
}
