import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { resolveAxis, show } from '../view/view.js';
import source from './cumulativeSum.wgsl.js';

export interface CumulativeSumAttributes {
  readonly axis: number;
  /** Whether an element's sum leaves out the element itself. */
  readonly exclusive: boolean;
  /** Whether sums begin at the end. */
  readonly reverse: boolean;
}

/** Sums up to each element along an axis of a dense tensor, added in order (ONNX's CumSum). */
export function cumulativeSum(b: PlanBuilder, x: Tensor, attributes: CumulativeSumAttributes): Tensor {
  const axis = resolveAxis(attributes.axis, x.shape.length, 'cumulative sum');
  if (x.layout !== 'dense') {
    throw new EngineError('INVALID_ARGUMENT', `A cumulative sum takes a dense tensor; ${show(x)} lies in rows.`);
  }
  const size = x.shape[axis] as number;
  const lines = elementCount(x.shape) / size;
  const y = b.temporary(`cumulative sum ${x.label}`, x.shape, { layout: 'dense', dtype: x.dtype });
  b.dispatch({
    label: y.label,
    program: { label: 'cumulative sum', code: source },
    bindings: [read(x), write(y)],
    uniforms: [
      lines,
      elementCount(x.shape.slice(axis + 1)),
      size,
      attributes.exclusive ? 1 : 0,
      attributes.reverse ? 1 : 0,
    ],
    workgroups: linearGrid(lines),
  });
  // Each element is in the sums behind it: the same sum from the other end.
  return b.differentiable([x], y, (dy) => [
    cumulativeSum(b, dy, { ...attributes, axis, reverse: !attributes.reverse }),
  ]);
}
