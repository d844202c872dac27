import { toDense, toRows } from '../../kernels/ops/reshape/reshape.js';
import type { PlanBuilder } from '../../kernels/planBuilder.js';
import type { Tensor } from '../../kernels/tensor.js';
import type { Inputs } from './definition.js';

/** What ops on maps and vectors take: rows. A copy where `x` lies otherwise. */
export const inRows = (b: PlanBuilder, x: Tensor): Tensor => (x.layout === 'rows' ? x : toRows(b, x));

/** What ops on any axis take: row-major without padding. A copy where `x` lies otherwise. */
export const inDense = (b: PlanBuilder, x: Tensor): Tensor => (x.layout === 'dense' ? x : toDense(b, x));

/** Tensors in one layout: rows where all of them can lie so, else dense. */
export function alike(b: PlanBuilder, xs: Inputs<Tensor>): Inputs<Tensor> {
  if (xs.every(({ layout }) => layout === xs[0].layout)) return xs;
  const canBeRows = xs.every(({ shape }) => shape.length === 2 || shape.length === 4);
  return xs.map((x) => (canBeRows ? inRows(b, x) : inDense(b, x))) as unknown as Inputs<Tensor>;
}
