import { elementCount, rowLayout } from '../../tensor.js';
import type { Laid } from './view.js';

/**
 * A tensor as [rows, outer, size, inner] around one of its dimensions: element (r, o, i, j) lies at
 * r * rowStride + (o * size + i) * inner + j. The padding of rows counts as elements where it does no harm.
 */
export interface AxisView {
  readonly rows: number;
  readonly rowStride: number;
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

export function axisView({ shape, layout }: Laid, axis: number): AxisView {
  const size = shape[axis] as number;
  if (layout === 'dense') {
    const inner = elementCount(shape.slice(axis + 1));
    return { rows: 1, rowStride: 0, outer: elementCount(shape.slice(0, axis)), size, inner };
  }
  const { rows, columns, stride } = rowLayout(shape);
  if (axis === 1) return { rows: 1, rowStride: 0, outer: 1, size, inner: stride };
  const inner = elementCount(shape.slice(Math.max(2, axis + 1)));
  return { rows, rowStride: stride, outer: columns / (size * inner), size, inner };
}
