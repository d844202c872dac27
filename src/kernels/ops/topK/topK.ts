import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { castInto } from '../cast/cast.js';
import { gatherElements } from '../gatherElements/gatherElements.js';
import { resolveAxis, show } from '../view/view.js';
import source from './topK.wgsl.js';

export interface TopKAttributes {
  readonly k: number;
  readonly axis: number;
  readonly largest: boolean;
}

export interface TopK {
  readonly values: Tensor;
  /** As floats. No gradient. */
  readonly indices: Tensor;
}

/**
 * The k largest or smallest elements along an axis of dense `x`, in order, and their places (ONNX's TopK); of equal ones the first
 * comes first. An element counts those in front of it, which takes size^2 comparisons a line. Throws `INVALID_ARGUMENT`.
 */
export function topK(b: PlanBuilder, x: Tensor, { k, axis, largest }: TopKAttributes): TopK {
  const along = resolveAxis(axis, x.shape.length, 'topK');
  const size = x.shape[along] as number;
  if (x.layout !== 'dense' || !Number.isInteger(k) || k < 1 || k > size) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `topK takes 1..${size} elements along axis ${along} of dense ${show(x)}; got ${k}.`,
    );
  }
  const shape = x.shape.map((own, i) => (i === along ? k : own));
  const places = b.temporary(`top ${k} ${x.label}`, shape, { layout: 'dense', dtype: 'u32' });
  const count = elementCount(x.shape);
  b.dispatch({
    label: places.label,
    program: { label: 'top k', code: source },
    bindings: [read(x), write(places)],
    uniforms: [count, elementCount(x.shape.slice(along + 1)), size, k, largest ? 1 : 0],
    workgroups: linearGrid(count),
  });
  const indices = b.temporary(`places ${x.label}`, shape, { layout: 'dense', dtype: 'f32' });
  castInto(b, places, indices);
  return { values: gatherElements(b, x, places, along), indices };
}
