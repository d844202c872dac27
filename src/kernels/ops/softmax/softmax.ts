import { read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { axisGroups, axisKernel } from '../axis/axis.js';
import forwardSource from './softmax.wgsl.js';
import gradientSource from './softmaxGradient.wgsl.js';

/**
 * Softmax over an axis of a dense tensor (negative: from the end), or, in `rows`, over the channels of [N, C] and at each
 * pixel of [N, C, H, W].
 */
export const softmax = (b: PlanBuilder, x: Tensor, axis = 1): Tensor => softmaxOver(b, x, axis, false);

/** Logarithm of the softmax, exact for large inputs; axes as in `softmax`. */
export const logSoftmax = (b: PlanBuilder, x: Tensor, axis = 1): Tensor => softmaxOver(b, x, axis, true);

function softmaxOver(b: PlanBuilder, x: Tensor, axis: number, log: boolean): Tensor {
  const name = log ? 'log-softmax' : 'softmax';
  const groups = axisGroups(x, axis, name);
  const like = { layout: x.layout, dtype: x.dtype };
  const y = b.temporary(`${name} ${x.label}`, x.shape, like);
  const own = [log ? 1 : 0];
  b.dispatch(axisKernel(b, name, forwardSource, groups, [read(x), write(y)], own));
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape, like);
    const bindings = [read(y), read(dy), write(dx)];
    b.dispatch(axisKernel(b, `${name} gradient`, gradientSource, groups, bindings, own));
    return [dx];
  });
}
