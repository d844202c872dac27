import { f32, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Tensor } from '../../tensor.js';
import { binary } from '../binary/binary.js';
import source from './dropout.wgsl.js';
import keptSource from './keptPictures.wgsl.js';
import randomSource from './random.wgsl.js';

/**
 * Inverted dropout (Srivastava et al. 2014): each element is 0 with probability `rate`, else divided by 1 - rate. `step` is a
 * dense u32 [4] plan input, [seed, step, first, 0], `first` the place of x's first picture in its batch; `operation` tells the
 * dropouts of a network apart. The same key gives the same mask, which the backward pass computes again instead of storing it.
 */
export const dropout = (b: PlanBuilder, x: Tensor, rate: number, step: Tensor, operation: number): Tensor =>
  drop(b, x, rate, step, operation, false);

/**
 * The same for whole channels (Tompson et al. 2015, section 3.2): all pixels of a channel of a picture share one draw. x is
 * [N, C, H, W] in `rows`.
 */
export const dropout2d = (b: PlanBuilder, x: Tensor, rate: number, step: Tensor, operation: number): Tensor =>
  drop(b, x, rate, step, operation, true);

/**
 * Stochastic depth (Huang et al. 2016), "row" mode: each picture's x is 0 as a whole with probability `rate`, else divided by
 * 1 - rate. Of x [N, ...].
 */
export function dropPictures(b: PlanBuilder, x: Tensor, rate: number, step: Tensor, operation: number): Tensor {
  checkRate(rate);
  const [pictures = 1] = x.shape;
  const factors = b.temporary(
    `kept ${x.label}`,
    x.shape.map((size, axis) => (axis === 0 ? size : 1)),
    {
      layout: 'dense',
    },
  );
  b.dispatch({
    label: factors.label,
    program: { label: 'kept pictures', code: `${randomSource}\n${keptSource}` },
    bindings: [read(step), write(factors)],
    uniforms: [pictures, operation, f32(rate)],
    workgroups: linearGrid(pictures),
  });
  return binary(b, 'mul', x, factors);
}

function checkRate(rate: number): void {
  if (rate >= 0 && rate < 1) return;
  throw new EngineError('INVALID_ARGUMENT', `A dropout rate is at least 0 and below 1; got ${rate}.`);
}

function drop(b: PlanBuilder, x: Tensor, rate: number, step: Tensor, operation: number, perChannel: boolean): Tensor {
  checkRate(rate);
  if (perChannel && x.layout !== 'rows') {
    throw new EngineError('INVALID_ARGUMENT', `Dropout of channels takes rows; ${x.label} is ${x.layout}.`);
  }
  const elements = elementCount(x.shape);
  const perPicture = elements / (x.shape[0] as number);
  // A dense picture is one run of elements: a single channel without a row of its own.
  const { rows, stride } = x.layout === 'rows' ? rowLayout(x.shape) : { rows: 1, stride: 0 };
  const unit = perChannel ? perPicture / rows : 1;
  const mask = (from: Tensor, label: string): Tensor => {
    const to = b.temporary(label, x.shape, { layout: x.layout, dtype: x.dtype });
    b.dispatch({
      label,
      program: { label: 'dropout', code: `${randomSource}\n${source}` },
      bindings: [read(from), read(step), write(to)],
      uniforms: [elements, rows, perPicture / rows, stride, operation, unit, f32(rate)],
      workgroups: linearGrid(elements),
    });
    return to;
  };
  return b.differentiable([x], mask(x, `dropout ${x.label}`), (dy) => [mask(dy, `d dropout ${x.label}`)]);
}
