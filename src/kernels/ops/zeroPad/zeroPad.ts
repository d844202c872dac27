import { linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Shape, type Tensor } from '../../tensor.js';
import source from './zeroPad.wgsl.js';

export interface Padding {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Zeros around each map: [N, C, H, W] -> [N, C, top + H + bottom, left + W + right]. */
export function zeroPad(b: PlanBuilder, x: Tensor, padding: Padding): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const padded: Shape = [n, c, h + padding.top + padding.bottom, w + padding.left + padding.right];
  const move = (from: Tensor, shape: Shape, forward: boolean): Tensor => {
    const to = b.temporary(`zero pad ${x.label}`, shape);
    b.dispatch({
      label: forward ? 'zero pad' : 'zero pad gradient',
      program: { label: 'zero pad', code: source },
      bindings: [read(from), write(to)],
      uniforms: [
        c,
        n,
        h,
        w,
        padded[2] as number,
        padded[3] as number,
        rowLayout(x.shape).stride,
        rowLayout(padded).stride,
        padding.top,
        padding.left,
        forward ? 1 : 0,
      ],
      workgroups: linearGrid(elementCount(shape)),
    });
    return to;
  };
  return b.differentiable([x], move(x, padded, true), (dy) => [move(dy, x.shape, false)]);
}
