import { linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Shape, type Tensor } from '../../tensor.js';
import source from './flatten.wgsl.js';

/** [N, C, H, W] -> [N, C H W], feature c H W + y W + x; [N, C] stays as it is. */
export function flatten(b: PlanBuilder, x: Tensor): Tensor {
  if (x.shape.length === 2) return x;
  const [batch, channels] = x.shape as [number, number];
  const pixels = elementCount(x.shape.slice(2));
  const flat: Shape = [batch, channels * pixels];
  const move = (from: Tensor, shape: Shape, forward: boolean): Tensor => {
    const to = b.temporary(`flatten ${x.label}`, shape);
    const elements = elementCount(shape);
    b.dispatch({
      label: forward ? 'flatten' : 'flatten gradient',
      program: { label: 'flatten', code: source },
      bindings: [read(from), write(to)],
      uniforms: [elements, batch, pixels, rowLayout(x.shape).stride, rowLayout(flat).stride, forward ? 1 : 0],
      workgroups: linearGrid(elements),
    });
    return to;
  };
  return b.differentiable([x], move(x, flat, true), (dy) => [move(dy, x.shape, false)]);
}
