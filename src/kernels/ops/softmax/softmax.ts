import { linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import forwardSource from './softmax.wgsl.js';
import gradientSource from './softmaxGradient.wgsl.js';

/** Softmax over channels of [N, C] or, at each pixel, of [N, C, H, W]. */
export function softmax(b: PlanBuilder, x: Tensor): Tensor {
  const { rows, columns, stride } = rowLayout(x.shape);
  const y = b.temporary(`softmax ${x.label}`, x.shape);
  const uniforms = [rows, columns, stride];
  b.dispatch({
    label: 'softmax',
    program: { label: 'softmax', code: forwardSource },
    bindings: [read(x), write(y)],
    uniforms,
    workgroups: linearGrid(columns),
  });
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape);
    b.dispatch({
      label: 'softmax gradient',
      program: { label: 'softmax gradient', code: gradientSource },
      bindings: [read(y), read(dy), write(dx)],
      uniforms,
      workgroups: linearGrid(columns),
    });
    return [dx];
  });
}
