import { EngineError } from '../../errors.js';
import { elementCount, type LayoutKind, rowLayout, type Shape, type Tensor } from '../../tensor.js';

export interface Laid {
  readonly shape: Shape;
  readonly layout: LayoutKind;
}

/** Elements of the buffer from one index to the next along each logical dimension: both layouts are strided views. */
export function stridesOf({ shape, layout }: Laid): number[] {
  if (layout === 'rows') {
    const { stride } = rowLayout(shape);
    if (shape.length === 2) return [1, stride];
    const [, , h, w] = shape as [number, number, number, number];
    return [h * w, stride, w, 1];
  }
  return shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
}

/** An axis counted from the end where negative. Throws `INVALID_ARGUMENT` outside of [-rank, rank). */
export function resolveAxis(axis: number, rank: number, what: string): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(resolved) || resolved < 0 || resolved >= rank) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `${what}: axis ${axis} of a tensor of rank ${rank}; it must be an integer in -${rank}..${rank - 1}.`,
    );
  }
  return resolved;
}

/** Where a result of this shape lies when its input is `x`: in rows where both can be, else dense. */
export const layoutLike = (x: Tensor, shape: Shape): LayoutKind =>
  x.layout === 'rows' && (shape.length === 2 || shape.length === 4) ? 'rows' : 'dense';

/** The options of a temporary that takes over `x`'s elements: integers stay integers, floats are stored as the layout has it. */
export function temporaryLike(x: Tensor, layout: LayoutKind): { layout: LayoutKind; dtype?: Tensor['dtype'] } {
  return layout === x.layout || x.dtype === 'u32' ? { layout, dtype: x.dtype } : { layout };
}

export const show = (tensor: Tensor): string => `${tensor.label} [${tensor.shape.join(', ')}]`;
