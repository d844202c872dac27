import { slice } from './shaping.js';
import { notMapped, type Target, type Value } from './value.js';
import type { Pair, Window } from './weighted.js';

/**
 * TensorFlow writes a dilated convolution as three operators: the pixels are shared out into a batch of block[0] * block[1] smaller
 * maps, padding included; a convolution without padding runs on each; the maps are put together again and cropped. Together they are
 * one convolution with the block as its dilation. `layer` is the map before sharing out, or the convolution of it.
 */
export interface SharedOut extends Value {
  readonly block: Pair;
  /** Before and after, vertical and horizontal; null behind the convolution. */
  readonly padding: { readonly before: Pair; readonly after: Pair } | null;
}

export const isSharedOut = (value: Value): value is SharedOut => 'block' in value;

function pairs(block: readonly number[], margins: readonly number[]): { block: Pair; before: Pair; after: Pair } {
  const [vertical, horizontal] = block;
  const fits = block.length === 2 && margins.length === 4 && [...block, ...margins].every((size) => size >= 0);
  if (!fits || !vertical || !horizontal)
    return notMapped(`blocks [${block.join(', ')}] and margins [${margins.join(', ')}]`);
  const [top, bottom, left, right] = margins as [number, number, number, number];
  return { block: [vertical, horizontal], before: [top, left], after: [bottom, right] };
}

/** SpaceToBatchND on [N, H, W, C]; `margins` are [top, bottom, left, right]. */
export function spaceToBatch(value: Value, block: readonly number[], margins: readonly number[]): SharedOut {
  const { before, after, ...sizes } = pairs(block, margins);
  return { ...value, ...sizes, padding: { before, after } };
}

/** The window of the dilated convolution that the one on shared-out maps is part of. */
export function dilatedWindow({ block, padding }: SharedOut, window: Window): Window {
  const isPlain = [...window.strides, ...window.dilation].every((size) => size === 1) && window.padding === 'valid';
  if (!padding || !isPlain)
    return notMapped('a convolution with stride, dilation or padding on maps that are shared out');
  const { before, after } = padding;
  return {
    strides: [1, 1],
    dilation: block,
    padding: { top: before[0], left: before[1], bottom: after[0], right: after[1] },
  };
}

/** BatchToSpaceND; `crops` are [top, bottom, left, right]. */
export function batchToSpace(target: Target, value: Value, block: readonly number[], crops: readonly number[]): Value {
  const { before, after, block: sizes } = pairs(block, crops);
  if (!isSharedOut(value) || value.padding || value.block.join() !== sizes.join()) {
    return notMapped('maps that no dilated convolution has shared out');
  }
  const { layer, order } = value;
  const shape = target.shape(value);
  const ranges = [0, 1].map((side) => {
    const size = shape[side + 1] as number;
    return { axis: side + 1, start: before[side] as number, end: size - (after[side] as number), step: 1 };
  });
  return slice(target, { layer, order }, ranges);
}
