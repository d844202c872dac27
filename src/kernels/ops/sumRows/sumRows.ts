import { read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import source from './sumRows.wgsl.js';

/** Lanes of a workgroup that sums up a row, as the constant of such kernels: see there. */
export const reductionLanes = (b: PlanBuilder): { lanes: number } => ({
  lanes: b.engine.kernelFamily === 'subgroup8' ? 8 : 64,
});

/** Sum of each row (channel) of `[N, C]` or `[N, C, H, W]` over everything else: dense [C]. The gradient of a bias. */
export function sumRows(b: PlanBuilder, x: Tensor): Tensor {
  const { rows, columns, stride } = rowLayout(x.shape);
  const y = b.temporary(`sum ${x.label}`, [rows], { layout: 'dense' });
  b.dispatch({
    label: `sum rows ${x.label}`,
    program: { label: 'sum rows', code: source, constants: reductionLanes(b) },
    bindings: [read(x), write(y)],
    uniforms: [columns, stride],
    workgroups: [rows, 1, 1],
  });
  return y;
}
