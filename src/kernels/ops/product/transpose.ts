import { MAX_GROUPS, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import source from './transpose.wgsl.js';

/** A dense tensor seen as [groups, rows, columns, taps] -> [groups, columns, rows, taps]. */
export function transposeDense(
  b: PlanBuilder,
  x: Tensor,
  [groups, rows, columns, taps]: readonly [number, number, number, number],
): Tensor {
  const y = b.temporary(`${x.label} transposed`, [groups, columns, rows, taps], { layout: 'dense' });
  b.dispatch({
    label: `transpose ${x.label}`,
    program: { label: 'transpose', code: source },
    bindings: [read(x), write(y)],
    uniforms: [rows, columns, taps],
    workgroups: [Math.ceil(rows / 64), Math.min(columns, MAX_GROUPS), groups],
  });
  return y;
}
