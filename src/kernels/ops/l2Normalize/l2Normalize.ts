import { f32, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { axisGroups, axisKernel } from '../axis/axis.js';
import forwardSource from './l2Normalize.wgsl.js';
import gradientSource from './l2NormalizeGradient.wgsl.js';

/**
 * x / max(L2 norm of x over an axis, epsilon): PyTorch's `normalize` of power 2. Axes as in `softmax`: any of a dense tensor, the
 * channels of one in `rows`.
 */
export function l2Normalize(b: PlanBuilder, x: Tensor, axis = 1, epsilon = 1e-12): Tensor {
  const groups = axisGroups(x, axis, 'L2 normalisation');
  const like = { layout: x.layout, dtype: x.dtype };
  const y = b.temporary(`normalised ${x.label}`, x.shape, like);
  const own = [f32(epsilon)];
  b.dispatch(axisKernel(b, 'L2 normalise', forwardSource, groups, [read(x), write(y)], own));
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape, like);
    const bindings = [read(x), read(dy), write(dx)];
    b.dispatch(axisKernel(b, 'L2 normalise gradient', gradientSource, groups, bindings, own));
    return [dx];
  });
}
