import { linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
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
    uniforms: [elementCount(y.shape), rows, columns, taps],
    workgroups: linearGrid(elementCount(y.shape)),
  });
  return y;
}
