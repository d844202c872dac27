import { linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Tensor } from '../../tensor.js';
import forwardSource from './globalAveragePool.wgsl.js';
import gradientSource from './globalAveragePoolGradient.wgsl.js';

/** Mean over all pixels: [N, C, H, W] -> [N, C] when `flatten`, else [N, C, 1, 1]. */
export function globalAveragePool(b: PlanBuilder, x: Tensor, options: { flatten: boolean }): Tensor {
  const [n, c] = x.shape as [number, number];
  const pixels = elementCount(x.shape.slice(2));
  const y = b.temporary(`pool ${x.label}`, options.flatten ? [n, c] : [n, c, 1, 1]);
  const uniforms = [c, n, pixels, rowLayout(x.shape).stride, rowLayout(y.shape).stride];
  b.dispatch({
    label: 'global average pool',
    program: { label: 'global average pool', code: forwardSource },
    bindings: [read(x), write(y)],
    uniforms,
    workgroups: linearGrid(c * n),
  });
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape);
    b.dispatch({
      label: 'global average pool gradient',
      program: { label: 'global average pool gradient', code: gradientSource },
      bindings: [read(dy), write(dx)],
      uniforms,
      workgroups: linearGrid(c * n * pixels),
    });
    return [dx];
  });
}
