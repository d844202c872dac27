import { f32, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Tensor } from '../../tensor.js';
import source from './dropout.wgsl.js';

/**
 * Inverted dropout (Srivastava et al. 2014): each element is 0 with probability `rate`, else divided by 1 - rate. `step` is a
 * dense u32 [4] plan input, [seed, step, first, 0], `first` the place of x's first picture in its batch; `operation` tells the dropouts of a network apart. The same key gives the same
 * mask, which the backward pass computes again instead of storing it.
 */
export function dropout(b: PlanBuilder, x: Tensor, rate: number, step: Tensor, operation: number): Tensor {
  if (!(rate >= 0 && rate < 1)) {
    throw new EngineError('INVALID_ARGUMENT', `A dropout rate is at least 0 and below 1; got ${rate}.`);
  }
  const mask = (from: Tensor, label: string): Tensor => {
    const { rows, stride } = rowLayout(from.shape);
    const elements = elementCount(from.shape);
    const to = b.temporary(label, from.shape);
    b.dispatch({
      label,
      program: { label: 'dropout', code: source },
      bindings: [read(from), read(step), write(to)],
      uniforms: [elements, rows, elementCount(from.shape.slice(2)), stride, operation, f32(rate)],
      workgroups: linearGrid(elements),
    });
    return to;
  };
  return b.differentiable([x], mask(x, `dropout ${x.label}`), (dy) => [mask(dy, `d dropout ${x.label}`)]);
}
