import { rowLayout, type Tensor } from '../../tensor.js';
import type { PatchGeometry } from '../product/operand.js';
import type { RightOperand } from '../product/product.js';

/** Whether every pixel is its own patch. */
export const isPointwise = ({ kernel, start, step, divisor, size, pixels }: PatchGeometry): boolean =>
  [...kernel, ...step, ...divisor].every((value) => value === 1) &&
  start.every((value) => value === 0) &&
  size.join() === pixels.join();

/** Patches of `tensor`; where every pixel is its own patch, the tensor's rows as they are. */
export function patches(tensor: Tensor, geometry: PatchGeometry, groupChannels: number): RightOperand {
  const { stride } = rowLayout(tensor.shape);
  const groupOffset = groupChannels * stride;
  if (isPointwise(geometry)) return { tensor, kind: 'rows', groupOffset, stride };
  return { tensor, kind: 'patches', groupOffset, stride, geometry };
}
