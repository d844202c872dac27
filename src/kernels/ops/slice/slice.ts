import { write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { copyView } from '../view/copyView.js';
import { framedCopy } from '../view/framedCopy.js';
import { resolveAxis, show, stridesOf } from '../view/view.js';

/** A range of one axis as in ONNX's Slice and in NumPy: negative positions count from the end, what is outside is cut off. */
export interface SliceRange {
  readonly axis: number;
  readonly start: number;
  /** Exclusive; without it, to the end (for negative steps: past the first element). */
  readonly end?: number;
  /** 1 without; negative steps walk backwards. Not 0. */
  readonly step?: number;
}

interface Steps {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

function resolveRange({ start, end, step = 1 }: SliceRange, size: number): Steps {
  if (!Number.isInteger(step) || step === 0) {
    throw new EngineError('INVALID_ARGUMENT', `slice: a step is an integer other than 0; got ${step}.`);
  }
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamped = (position: number) => Math.min(high, Math.max(low, position < 0 ? position + size : position));
  const first = clamped(start);
  const last = end === undefined ? (step > 0 ? size : -1) : clamped(end);
  return { start: first, step, count: Math.ceil((last - first) / step) };
}

/**
 * The elements of `ranges`, all of every other axis: the tensor's own layout and rank.
 * Throws `INVALID_SHAPE` where nothing is left, `INVALID_ARGUMENT` for a step of 0 or an axis given twice.
 */
export function slice(b: PlanBuilder, x: Tensor, ranges: readonly SliceRange[]): Tensor {
  const steps = x.shape.map((count): Steps => ({ start: 0, step: 1, count }));
  const seen = new Set<number>();
  for (const range of ranges) {
    const axis = resolveAxis(range.axis, x.shape.length, 'slice');
    if (seen.has(axis)) throw new EngineError('INVALID_ARGUMENT', `slice of ${show(x)}: axis ${axis} is given twice.`);
    seen.add(axis);
    steps[axis] = resolveRange(range, x.shape[axis] as number);
  }
  if (steps.some(({ count }) => count < 1)) {
    throw new EngineError('INVALID_SHAPE', `slice of ${show(x)} leaves nothing: ${JSON.stringify(ranges)}.`);
  }
  const shape = steps.map(({ count }) => count);
  const y = b.temporary(`slice ${x.label}`, shape, { layout: x.layout, dtype: x.dtype });
  const [from, to] = [stridesOf(x), stridesOf(y)];
  copyView(b, {
    label: 'slice',
    source: x,
    from: steps.reduce((sum, { start }, axis) => sum + start * (from[axis] as number), 0),
    target: write(y),
    axes: steps.map(({ count, step }, axis) => ({
      size: count,
      from: step * (from[axis] as number),
      to: to[axis] as number,
    })),
  });
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape, { layout: x.layout, dtype: x.dtype });
    framedCopy(b, 'slice gradient', dy, dx, steps, { kind: 'constant' });
    return [dx];
  });
}

/** Consecutive slices of `sizes` along an axis. Throws `INVALID_SHAPE` where the sizes do not add up to the axis's. */
export function split(b: PlanBuilder, x: Tensor, axis: number, sizes: readonly number[]): Tensor[] {
  const along = resolveAxis(axis, x.shape.length, 'split');
  if (sizes.reduce((sum, size) => sum + size, 0) !== x.shape[along]) {
    throw new EngineError(
      'INVALID_SHAPE',
      `split of ${show(x)} along axis ${along}: the sizes ${sizes.join(', ')} do not add up to ${x.shape[along]}.`,
    );
  }
  let start = 0;
  return sizes.map((size) => {
    const part = slice(b, x, [{ axis: along, start, end: start + size }]);
    start += size;
    return part;
  });
}
