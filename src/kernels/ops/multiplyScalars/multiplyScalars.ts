import { read, write } from '../../dispatch.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import source from './multiplyScalars.wgsl.js';

/** Product of two dense float32 [1], computed on the device because a plan changes one of them. Not differentiable. */
export function multiplyScalars(b: PlanBuilder, x: Tensor, y: Tensor): Tensor {
  const product = b.temporary(`${x.label} ${y.label}`, [1], { layout: 'dense' });
  b.dispatch({
    label: product.label,
    program: { label: 'multiply scalars', code: source },
    bindings: [read(x), read(y), write(product)],
    workgroups: [1, 1, 1],
  });
  return product;
}
