import { readWrite, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { copyView } from '../view/copyView.js';
import { resolveAxis, show, stridesOf } from '../view/view.js';

/**
 * Concatenation along one axis, channels without. All other sizes have to agree, and so have the layouts.
 * Throws `INVALID_SHAPE` where they do not, `INVALID_ARGUMENT` for no tensors or an axis that there is not.
 */
export function concat(b: PlanBuilder, xs: readonly Tensor[], axis = 1): Tensor {
  const [first] = xs;
  if (!first) throw new EngineError('INVALID_ARGUMENT', 'Nothing to concatenate.');
  const along = resolveAxis(axis, first.shape.length, 'concat');
  const others = ({ shape, layout }: Tensor) => [layout, shape.length, ...shape.filter((_, i) => i !== along)].join();
  for (const x of xs) {
    if (others(x) !== others(first)) {
      throw new EngineError(
        'INVALID_SHAPE',
        `concat: ${show(first)} in ${first.layout} layout and ${show(x)} in ${x.layout} differ besides axis ${along}.`,
      );
    }
  }
  if (xs.length === 1) return first;
  const total = xs.reduce((sum, x) => sum + (x.shape[along] as number), 0);
  const shape = first.shape.map((size, i) => (i === along ? total : size));
  const y = b.temporary('concat', shape, { layout: first.layout, dtype: first.dtype });
  const whole = stridesOf(y);
  let position = 0;
  const starts = xs.map((x) => {
    const start = position * (whole[along] as number);
    position += x.shape[along] as number;
    return start;
  });
  const loops = (x: Tensor) => {
    const own = stridesOf(x);
    return x.shape.map((size, i) => ({ size, part: own[i] as number, whole: whole[i] as number }));
  };
  xs.forEach((x, index) => {
    const axes = loops(x).map(({ size, part, whole }) => ({ size, from: part, to: whole }));
    copyView(b, { label: 'concat', source: x, target: readWrite(y), to: starts[index] as number, axes });
  });
  return b.differentiable(xs, y, (dy, needs) =>
    xs.map((x, index) => {
      if (!needs[index]) return null;
      const dx = b.temporary(`d ${x.label}`, x.shape, { layout: x.layout, dtype: x.dtype });
      const axes = loops(x).map(({ size, part, whole }) => ({ size, from: whole, to: part }));
      copyView(b, { label: 'concat gradient', source: dy, from: starts[index] as number, target: write(dx), axes });
      return dx;
    }),
  );
}
