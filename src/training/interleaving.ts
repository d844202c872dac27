import { type ChannelRange, interleave } from '../kernels/ops/channelShuffle/interleave.js';
import { slice } from '../kernels/ops/slice/slice.js';
import type { PlanBuilder } from '../kernels/planBuilder.js';
import type { Tensor } from '../kernels/tensor.js';
import { inRows } from '../models/layers/layout.js';
import type { Layer } from '../models/network.js';

type LayerOf<K extends Layer['kind']> = Extract<Layer, { readonly kind: K }>;
type SliceLayer = LayerOf<'slice'>;
type ConcatLayer = LayerOf<'concat'>;

/** Whether a concatenation of channels with the layer behind it takes one channel of each input in turn. */
export const interleaves = (concat: Layer, next: Layer | null): concat is ConcatLayer =>
  concat.kind === 'concat' &&
  concat.axis === 1 &&
  next?.kind === 'channelShuffle' &&
  next.groups === concat.inputs.length;

/** Whether a layer takes consecutive channels, counted from the front. */
export const takesChannels = (layer: Layer): layer is SliceLayer =>
  layer.kind === 'slice' &&
  layer.axes.join() === '1' &&
  layer.steps[0] === 1 &&
  (layer.starts[0] as number) >= 0 &&
  (layer.ends[0] as number) > (layer.starts[0] as number);

/** The channels that `takesChannels` takes of its input. */
export function channelsTaken({ starts, ends }: SliceLayer, input: Tensor): ChannelRange {
  const first = starts[0] as number;
  return { tensor: input, first, count: Math.min(ends[0] as number, input.shape[1] as number) - first };
}

export const allChannels = (tensor: Tensor): ChannelRange => ({ tensor, first: 0, count: tensor.shape[1] as number });

/** The parts interleaved; null where some have more channels than others. */
export function interleaved(b: PlanBuilder, parts: readonly ChannelRange[]): Tensor | null {
  const isEven = parts.every(({ tensor, count }) => tensor.shape.length === 4 && count === parts[0]?.count);
  return isEven
    ? interleave(
        b,
        parts.map((part) => ({ ...part, tensor: inRows(b, part.tensor) })),
      )
    : null;
}

/** A part as a tensor of its own. */
export function separate(b: PlanBuilder, { tensor, first, count }: ChannelRange): Tensor {
  if (count === tensor.shape[1]) return tensor;
  return slice(b, tensor, [{ axis: 1, start: first, end: first + count }]);
}
