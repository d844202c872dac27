import { write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Shape, Tensor } from '../../tensor.js';
import { reduceTo } from '../reduce/reduce.js';
import { copyView } from '../view/copyView.js';
import { show, stridesOf, temporaryLike } from '../view/view.js';

/** Shape that both broadcast to (NumPy's rule: aligned at the end, a size of 1 repeats). Throws `INVALID_SHAPE`. */
export function broadcastShape(what: string, a: Shape, c: Shape): Shape {
  const rank = Math.max(a.length, c.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = c[axis - rank + c.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new EngineError('INVALID_SHAPE', `${what}: [${a.join(', ')}] and [${c.join(', ')}] do not broadcast.`);
    }
    return left === 1 ? right : left;
  });
}

/**
 * Repeats dimensions of size 1, and along new leading dimensions, until the tensor has the shape that it and `shape` broadcast to
 * (ONNX's Expand). Dense tensors of any rank; rows stay rows where the rank stays.
 */
export function expand(b: PlanBuilder, x: Tensor, shape: Shape): Tensor {
  const expanded = broadcastShape(`expand of ${show(x)}`, x.shape, shape);
  if (expanded.join() === x.shape.join()) return x;
  const layout = expanded.length === x.shape.length ? x.layout : 'dense';
  const y = b.temporary(`expand ${x.label}`, expanded, temporaryLike(x, layout));
  const [from, to] = [stridesOf(x), stridesOf(y)];
  const added = expanded.length - x.shape.length;
  const axes = expanded.map((size, axis) => {
    const own = axis < added ? 1 : (x.shape[axis - added] as number);
    return { size, from: own === 1 ? 0 : (from[axis - added] as number), to: to[axis] as number };
  });
  copyView(b, { label: 'expand', source: x, target: write(y), axes });
  return b.differentiable([x], y, (dy) => [reduceTo(b, dy, x)]);
}
