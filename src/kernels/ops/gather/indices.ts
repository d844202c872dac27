import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { show } from '../view/view.js';
import source from './indices.wgsl.js';

/** Indices into `size` elements that were computed as (whole) floats: dense u32, negative ones counted from the end. */
export function toIndices(b: PlanBuilder, x: Tensor, size: number): Tensor {
  if (x.layout !== 'dense') {
    throw new EngineError('INVALID_ARGUMENT', `Indices are taken from dense tensors; ${show(x)} lies in rows.`);
  }
  const count = elementCount(x.shape);
  const y = b.temporary(`indices ${x.label}`, x.shape, { layout: 'dense', dtype: 'u32' });
  b.dispatch({
    label: y.label,
    program: { label: 'indices', code: source },
    bindings: [read(x), write(y)],
    uniforms: [count, size],
    workgroups: linearGrid(count),
  });
  return y;
}
