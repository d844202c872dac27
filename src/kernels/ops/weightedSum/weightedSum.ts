import { f32, read, write } from '../../dispatch.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import source from './weightedSum.wgsl.js';

/** x + weight y of two dense float32 [1]: a loss and a term that is added to it. */
export function addWeighted(b: PlanBuilder, x: Tensor, y: Tensor, weight: number): Tensor {
  const sum = combined(b, `${x.label} + ${weight} ${y.label}`, [x, 1], [y, weight]);
  return b.differentiable([x, y], sum, (gradient, [needsX, needsY]) => [
    needsX ? gradient : null,
    needsY ? combined(b, `d ${y.label}`, [gradient, weight], [gradient, 0]) : null,
  ]);
}

type Term = readonly [value: Tensor, factor: number];

function combined(b: PlanBuilder, label: string, [x, factorX]: Term, [y, factorY]: Term): Tensor {
  const sum = b.temporary(label, [1], { layout: 'dense' });
  b.dispatch({
    label,
    program: { label: 'weighted sum', code: source },
    bindings: [read(x), read(y), write(sum)],
    uniforms: [f32(factorX), f32(factorY)],
    workgroups: [1, 1, 1],
  });
  return sum;
}
