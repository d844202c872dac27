import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { quadCount, type Tensor } from '../../tensor.js';
import source from './cast.wgsl.js';

/** Stores x in y's float type; shapes and layouts are the same. Throws `INVALID_SHAPE` where they differ. */
export function castInto(b: PlanBuilder, x: Tensor, y: Tensor): void {
  if (x.shape.join() !== y.shape.join() || x.layout !== y.layout) {
    throw new EngineError('INVALID_SHAPE', `cast: [${x.shape.join(', ')}] and [${y.shape.join(', ')}] differ.`);
  }
  b.dispatch({
    label: `cast ${x.label}`,
    program: { label: 'cast', code: source },
    bindings: [read(x), write(y)],
    uniforms: [quadCount(x)],
    workgroups: linearGrid(quadCount(x)),
  });
}
