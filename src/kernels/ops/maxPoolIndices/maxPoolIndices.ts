import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import type { PoolAttributes } from '../pool/pool.js';
import { LARGEST_EXACT } from '../roundTo/numberTypes.js';
import { show } from '../view/view.js';
import { pooledLength } from '../window.js';
import source from './maxPoolIndices.wgsl.js';

/**
 * Where max pooling finds the largest pixel of each window (the first one in reading order): its place in dense x [N, C, H, W],
 * counted over the whole tensor, with lines (`rowMajor`) or columns of a map one after another; a float. No gradient. Throws
 * `LIMIT_EXCEEDED` for tensors with more than 2^24 elements, whose places float32 does not tell apart.
 */
export function maxPoolIndices(
  b: PlanBuilder,
  x: Tensor,
  attributes: PoolAttributes & { readonly order: 'rowMajor' | 'columnMajor' },
): Tensor {
  const { kernel, stride, padding, ceilMode, dilation = [1, 1], order } = attributes;
  const [n, c, height, width] = x.shape as [number, number, number, number];
  if (x.shape.length !== 4 || x.layout !== 'dense') {
    throw new EngineError('INVALID_SHAPE', `Places of a max pooling are told of dense [N, C, H, W]; got ${show(x)}.`);
  }
  if (elementCount(x.shape) > LARGEST_EXACT) {
    throw new EngineError('LIMIT_EXCEEDED', `Places in ${show(x)} are not exact: at most 2^24 elements.`);
  }
  const reach = (axis: 0 | 1) => (kernel[axis] - 1) * dilation[axis] + 1;
  const pixels = [
    pooledLength(height, reach(0), stride[0], padding.top, padding.bottom, ceilMode),
    pooledLength(width, reach(1), stride[1], padding.left, padding.right, ceilMode),
  ];
  const y = b.temporary(`places of maxima ${x.label}`, [n, c, ...pixels], { layout: 'dense', dtype: 'f32' });
  const count = elementCount(y.shape);
  b.dispatch({
    label: y.label,
    program: { label: 'max pool indices', code: source },
    bindings: [read(x), write(y)],
    uniforms: [
      count,
      order === 'columnMajor' ? 1 : 0,
      height,
      width,
      ...pixels,
      ...kernel,
      ...stride,
      ...dilation,
      padding.top,
      padding.left,
    ],
    workgroups: linearGrid(count),
  });
  return y;
}
