import { type PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { pad } from '../pad/pad.js';
import type { WindowPadding } from '../window.js';

/** Zeros around each map: [N, C, H, W] -> [N, C, top + H + bottom, left + W + right]. */
export function zeroPad(b: PlanBuilder, x: Tensor, { top, left, bottom, right }: WindowPadding): Tensor {
  const paddings = [
    { axis: 2, before: top, after: bottom },
    { axis: 3, before: left, after: right },
  ];
  return pad(b, x, paddings, { border: 'constant' });
}
