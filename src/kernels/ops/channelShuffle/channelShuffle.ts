import { write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { copyView } from '../view/copyView.js';
import { show, stridesOf } from '../view/view.js';

/**
 * Channel shuffle of [N, C, ...] (Zhang et al. 2018, ShuffleNet, section 3.1): the C channels seen as [groups, C / groups] are
 * transposed, so that output channel j * groups + g is input channel g * (C / groups) + j.
 * Throws `INVALID_SHAPE` where `groups` does not divide C.
 */
export function channelShuffle(b: PlanBuilder, x: Tensor, groups: number): Tensor {
  const channels = x.shape[1] as number;
  if (x.shape.length < 2 || !Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new EngineError(
      'INVALID_SHAPE',
      `channel shuffle: ${groups} groups do not divide the channels of ${show(x)}.`,
    );
  }
  const shuffled = (from: Tensor, into: number): Tensor => {
    const to = b.temporary(`shuffle ${from.label}`, from.shape, { layout: from.layout, dtype: from.dtype });
    const strides = stridesOf(from);
    const channel = strides[1] as number;
    const perGroup = channels / into;
    const others = from.shape.map((size, axis) => {
      const stride = strides[axis] as number;
      return { size: axis === 1 ? 1 : size, from: stride, to: stride };
    });
    const axes = [
      { size: into, from: perGroup * channel, to: channel },
      { size: perGroup, from: channel, to: into * channel },
      ...others,
    ];
    copyView(b, { label: 'channel shuffle', source: from, target: write(to), axes });
    return to;
  };
  // Seen as [C / groups, groups], the transposition back is the shuffle by the other number.
  return b.differentiable([x], shuffled(x, groups), (dy) => [shuffled(dy, channels / groups)]);
}
