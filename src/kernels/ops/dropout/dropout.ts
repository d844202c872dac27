import { f32, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Tensor } from '../../tensor.js';
import source from './dropout.wgsl.js';

/**
 * Inverted dropout (Srivastava et al. 2014): each element is 0 with probability `rate`, else divided by 1 - rate. `step` is a
 * dense u32 [4] plan input, [seed, step, first, 0], `first` the place of x's first picture in its batch; `operation` tells the
 * dropouts of a network apart. The same key gives the same mask, which the backward pass computes again instead of storing it.
 */
export const dropout = (b: PlanBuilder, x: Tensor, rate: number, step: Tensor, operation: number): Tensor =>
  drop(b, x, rate, step, operation, 'element');

/**
 * The same for whole channels (Tompson et al. 2015, section 3.2): all pixels of a channel of a picture share one draw. x is
 * [N, C, H, W] in `rows`.
 */
export const dropout2d = (b: PlanBuilder, x: Tensor, rate: number, step: Tensor, operation: number): Tensor =>
  drop(b, x, rate, step, operation, 'channel');

/**
 * Stochastic depth (Huang et al. 2016), "row" mode: each picture's x is 0 as a whole with probability `rate`, else divided by
 * 1 - rate. Of x [N, ...].
 */
export const dropPictures = (b: PlanBuilder, x: Tensor, rate: number, step: Tensor, operation: number): Tensor =>
  drop(b, x, rate, step, operation, 'picture');

function drop(
  b: PlanBuilder,
  x: Tensor,
  rate: number,
  step: Tensor,
  operation: number,
  drawn: 'element' | 'channel' | 'picture',
): Tensor {
  if (!(rate >= 0 && rate < 1)) {
    throw new EngineError('INVALID_ARGUMENT', `A dropout rate is at least 0 and below 1; got ${rate}.`);
  }
  if (drawn === 'channel' && x.layout !== 'rows') {
    throw new EngineError('INVALID_ARGUMENT', `Dropout of channels takes rows; ${x.label} is ${x.layout}.`);
  }
  const elements = elementCount(x.shape);
  const perPicture = elements / (x.shape[0] as number);
  // A dense picture is one run of elements: a single channel without a row of its own.
  const { rows, stride } = x.layout === 'rows' ? rowLayout(x.shape) : { rows: 1, stride: 0 };
  const unit = { element: 1, channel: perPicture / rows, picture: perPicture }[drawn];
  const mask = (from: Tensor, label: string): Tensor => {
    const to = b.temporary(label, x.shape, { layout: x.layout, dtype: x.dtype });
    b.dispatch({
      label,
      program: { label: 'dropout', code: source },
      bindings: [read(from), read(step), write(to)],
      uniforms: [elements, rows, perPicture / rows, stride, operation, unit, f32(rate)],
      workgroups: linearGrid(elements),
    });
    return to;
  };
  return b.differentiable([x], mask(x, `dropout ${x.label}`), (dy) => [mask(dy, `d dropout ${x.label}`)]);
}
