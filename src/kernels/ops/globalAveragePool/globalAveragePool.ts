import { linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Tensor } from '../../tensor.js';
import { elementwise } from '../elementwise/elementwise.js';
import forwardSource from './globalAveragePool.wgsl.js';

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
    const formula = { names: ['dy'], expression: `dy / f32(${pixels})` };
    const everyPixel = { tensor: dy, shape: [n, c, 1, 1] };
    return [elementwise(b, { label: 'global average pool gradient', formula, operands: [everyPixel] }, dx)];
  });
}
