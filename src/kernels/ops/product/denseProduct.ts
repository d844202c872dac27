import { linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { alignTo, elementCount, type Tensor } from '../../tensor.js';
import { type ProductOptions, partsFor, product } from './product.js';
import sumPartsSource from './sumParts.wgsl.js';
import sumQuadsSource from './sumQuads.wgsl.js';

/**
 * A product into a tensor in `dense` layout. Where its rows are no whole quads, or the range of k is long and cut into parts, it is
 * computed in padded rows, which are then summed in fixed order.
 */
export function denseProduct(
  b: PlanBuilder,
  options: Omit<ProductOptions, 'result' | 'parts' | 'epilogue'> & { readonly shape: readonly number[] },
): Tensor {
  const { groups, rows, columns, depth, label, shape } = options;
  const stride = alignTo(columns, 4);
  const parts = partsFor(b, groups, rows, columns, depth);
  if (parts === 1 && stride === columns) {
    const y = b.temporary(label, shape, { layout: 'dense' });
    product(b, { ...options, result: y });
    return y;
  }
  const sums = b.temporary(`${label} parts`, [parts, groups * rows, stride], { layout: 'dense' });
  product(b, { ...options, result: sums, parts });
  const y = b.temporary(label, shape, { layout: 'dense' });
  b.dispatch({
    label: `${label} sum`,
    bindings: [read(sums), write(y)],
    ...(stride === columns
      ? {
          program: { label: 'sum parts', code: sumQuadsSource },
          uniforms: [elementCount(shape) / 4, parts],
          workgroups: linearGrid(elementCount(shape) / 4),
        }
      : {
          program: { label: 'sum padded parts', code: sumPartsSource },
          uniforms: [groups * rows, columns, stride, parts],
          workgroups: linearGrid(elementCount(shape)),
        }),
  });
  return y;
}
