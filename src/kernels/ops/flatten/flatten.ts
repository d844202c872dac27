import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { resolveAxis } from '../view/view.js';
import { reshape } from '../reshape/reshape.js';

/**
 * Two dimensions: those before `axis` and those from it on, in logical order (ONNX's Flatten). With axis 1, [N, C, H, W] ->
 * [N, C H W], feature c H W + y W + x; [N, C] stays as it is.
 */
export function flatten(b: PlanBuilder, x: Tensor, axis = 1): Tensor {
  const rank = x.shape.length;
  const from = axis === rank ? rank : resolveAxis(axis, rank, 'flatten');
  return reshape(b, x, [elementCount(x.shape.slice(0, from)), elementCount(x.shape.slice(from))]);
}
