import { readWrite, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { slice } from '../slice/slice.js';
import { copyView } from '../view/copyView.js';
import { show, stridesOf } from '../view/view.js';

/** Channels `first` to `first + count`, without it, of a tensor [N, C, ...]. */
export interface ChannelRange {
  readonly tensor: Tensor;
  readonly first: number;
  readonly count: number;
}

/**
 * Parts with equally many channels, one channel of each in turn: channel j * parts + p is channel j of part p. The same as their
 * concatenation shuffled by the number of parts, with each element copied once; ranges are read where they lie.
 * Throws `INVALID_SHAPE` where the parts do not fit to each other.
 */
export function interleave(b: PlanBuilder, parts: readonly ChannelRange[]): Tensor {
  // A gradient is that of a whole tensor.
  const ranges = parts.map((part) => {
    const { tensor, first, count } = part;
    if (!tensor.requiresGradient || count === tensor.shape[1]) return part;
    return { tensor: slice(b, tensor, [{ axis: 1, start: first, end: first + count }]), first: 0, count };
  });
  const [{ tensor: model, count } = { tensor: null, count: 0 }] = ranges;
  const sizes = ({ shape, layout, dtype }: Tensor, channels: number) =>
    [layout, dtype, ...shape.map((size, axis) => (axis === 1 ? channels : size))].join();
  if (!model || ranges.some((range) => sizes(range.tensor, range.count) !== sizes(model, count))) {
    throw new EngineError(
      'INVALID_SHAPE',
      `interleave: ${ranges.map((range) => `${range.count} channels of ${show(range.tensor)}`).join(' and ')} differ.`,
    );
  }
  const { layout, dtype } = model;
  const shape = model.shape.map((size, axis) => (axis === 1 ? count * ranges.length : size));
  const y = b.temporary('interleave', shape, { layout, dtype });
  const whole = stridesOf(y);
  const channel = whole[1] as number;
  const loops = (tensor: Tensor) => {
    const own = stridesOf(tensor);
    return shape.map((size, axis) => ({
      size: axis === 1 ? count : size,
      part: own[axis] as number,
      whole: (axis === 1 ? ranges.length : 1) * (whole[axis] as number),
    }));
  };
  ranges.forEach(({ tensor, first }, index) => {
    const axes = loops(tensor).map(({ size, part, whole: to }) => ({ size, from: part, to }));
    const from = first * (stridesOf(tensor)[1] as number);
    copyView(b, { label: 'interleave', source: tensor, from, target: readWrite(y), to: index * channel, axes });
  });
  const inputs = ranges.map(({ tensor }) => tensor);
  return b.differentiable(inputs, y, (dy, needs) =>
    inputs.map((tensor, index) => {
      if (!needs[index]) return null;
      const dx = b.temporary(`d ${tensor.label}`, tensor.shape, { layout, dtype });
      const axes = loops(tensor).map(({ size, part, whole: from }) => ({ size, from, to: part }));
      copyView(b, { label: 'interleave gradient', source: dy, from: index * channel, target: write(dx), axes });
      return dx;
    }),
  );
}
