import { linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { alignTo, elementCount, type Tensor } from '../../tensor.js';
import { type ProductOptions, partsFor, product } from './product.js';
import sumPartsSource from './sumParts.wgsl.js';

/**
 * A product into a tensor in `dense` layout, whose rows need not be whole quads: computed in padded rows, the range of k cut
 * into parts where that is long, then summed in fixed order.
 */
export function denseProduct(
  b: PlanBuilder,
  options: Omit<ProductOptions, 'result' | 'parts' | 'epilogue'> & { readonly shape: readonly number[] },
): Tensor {
  const { groups, rows, columns, depth, label, shape } = options;
  const stride = alignTo(columns, 4);
  const parts = partsFor(b, groups, rows, columns, depth);
  const sums = b.temporary(`${label} parts`, [parts, groups * rows, stride], { layout: 'dense' });
  product(b, { ...options, result: sums, parts });
  const y = b.temporary(label, shape, { layout: 'dense' });
  b.dispatch({
    label: `${label} sum`,
    program: { label: 'sum parts', code: sumPartsSource },
    bindings: [read(sums), write(y)],
    uniforms: [groups * rows, columns, stride, parts],
    workgroups: linearGrid(elementCount(shape)),
  });
  return y;
}
