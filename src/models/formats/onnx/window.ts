import { samePadding } from '../../../kernels/ops/window.js';
import type { Padding } from '../../network.js';
import { show } from './converter.js';
import type { Operation } from './node.js';

/** Sizes of a window over the spatial dimensions, and what is around the map. */
export interface Window {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** The attributes of convolutions and poolings, for spatial dimensions of these sizes. Throws INVALID_FILE. */
export function windowOf(op: Operation, sizes: readonly number[], kernel: readonly number[]): Window {
  const rank = sizes.length;
  const stride = op.spatial('strides', rank, 1);
  const dilation = op.spatial('dilations', rank, 1);
  const auto = op.text('auto_pad', 'NOTSET');
  const shape = { kernel, stride, dilation };
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    // One dimension beside another of size 1.
    const along = sizes.map((size, axis) => {
      const pair = (list: readonly number[]): [number, number] => [1, list[axis] as number];
      const { left, right } = samePadding([1, size], pair(kernel), pair(stride), pair(dilation), auto === 'SAME_LOWER');
      return [left, right] as const;
    });
    return { ...shape, before: along.map(([first]) => first), after: along.map(([, last]) => last) };
  }
  const pads = auto === 'VALID' ? null : op.ints('pads');
  if (pads && pads.length !== 2 * rank) op.fail(`pads must be ${2 * rank} numbers; got ${show(pads)}.`);
  const list = pads ?? Array<number>(2 * rank).fill(0);
  return { ...shape, before: list.slice(0, rank), after: list.slice(rank) };
}

export const pairOf = (list: readonly number[]): [number, number] => [list[0] as number, list[1] as number];

export const paddingOf = ({ before, after }: Window): Padding => ({
  top: before[0] as number,
  left: before[1] as number,
  bottom: after[0] as number,
  right: after[1] as number,
});

/** A window over lines, seen as one over maps of height 1. */
export const asPlane = (window: Window): Window => ({
  kernel: [1, ...window.kernel],
  stride: [1, ...window.stride],
  dilation: [1, ...window.dilation],
  before: [0, ...window.before],
  after: [0, ...window.after],
});
