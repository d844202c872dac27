import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { broadcastShape, layoutOfAll, operand } from '../elementwise/broadcast.js';
import { elementwise, summed } from '../elementwise/elementwise.js';

/**
 * x where the condition is not 0, else y, element by element; all three broadcast as in `binary`. The condition gets no gradient.
 * Throws `INVALID_SHAPE` where the shapes do not broadcast.
 */
export function where(b: PlanBuilder, condition: Tensor, x: Tensor, y: Tensor): Tensor {
  const shape = broadcastShape('where', broadcastShape('where', condition.shape, x.shape), y.shape);
  const tensors = [condition, x, y];
  const layout = layoutOfAll(tensors, shape);
  const result = b.temporary(`where ${condition.label}`, shape, { layout });
  const formula = { names: ['c', 'x', 'y'], expression: 'select(x, y, c == vec4f())' };
  elementwise(b, { label: 'where', formula, operands: tensors.map(operand) }, result);
  return b.differentiable([x, y], result, (dy, needs) =>
    [x, y].map((tensor, index) => {
      if (!needs[index]) return null;
      const expression = index === 0 ? 'select(dy, vec4f(), c == vec4f())' : 'select(vec4f(), dy, c == vec4f())';
      const partial = {
        label: 'where gradient',
        formula: { names: ['dy', 'c'], expression },
        operands: [operand(dy), operand(condition)],
      };
      const target = b.temporary(`d ${tensor.label}`, tensor.shape, { layout: tensor.layout, dtype: tensor.dtype });
      const isWhole = tensor.shape.join() === shape.join();
      if (isWhole) return elementwise(b, partial, target);
      return summed(b, partial, shape, { tensor: target, shape: tensor.shape });
    }),
  );
}
