import { MAX_GROUPS, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import source from './transpose.wgsl.js';

/** Some taps of a kernel: `lines` of `perLine` each, from `first` on, so many taps apart. */
export interface TapGrid {
  readonly first: number;
  readonly lines: number;
  readonly perLine: number;
  readonly lineStep: number;
  readonly tapStep: number;
}

/** A dense tensor seen as [groups, rows, columns, taps] -> [groups, columns, rows, taps], or with only those of `grid`. */
export function transposeDense(
  b: PlanBuilder,
  x: Tensor,
  [groups, rows, columns, taps]: readonly [number, number, number, number],
  grid: TapGrid = { first: 0, lines: 1, perLine: taps, lineStep: 0, tapStep: 1 },
): Tensor {
  const { first, lines, perLine, lineStep, tapStep } = grid;
  const resultTaps = lines * perLine;
  const y = b.temporary(`${x.label} transposed`, [groups, columns, rows, resultTaps], { layout: 'dense' });
  b.dispatch({
    label: `transpose ${x.label}`,
    program: { label: 'transpose', code: source },
    bindings: [read(x), write(y)],
    uniforms: [rows, columns, taps, resultTaps, first, perLine, lineStep, tapStep],
    workgroups: [Math.ceil(rows / 64), Math.min(columns, MAX_GROUPS), groups],
  });
  return y;
}
