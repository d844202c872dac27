import { MAX_GROUPS, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import source from './transpose.wgsl.js';
import quadsSource from './transposeQuads.wgsl.js';

/** Side of the quad kernel's workgroups, in blocks of 4 x 4. */
const BLOCKS = 8;

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
  const common = { label: `transpose ${x.label}`, bindings: [read(x), write(y)] };
  if (taps === 1 && resultTaps === 1 && rows % 4 === 0 && columns % 4 === 0) {
    b.dispatch({
      ...common,
      program: { label: 'transpose quads', code: quadsSource },
      uniforms: [rows / 4, columns / 4],
      workgroups: [Math.ceil(rows / 4 / BLOCKS), Math.min(Math.ceil(columns / 4 / BLOCKS), MAX_GROUPS), groups],
    });
    return y;
  }
  b.dispatch({
    ...common,
    program: {
      label: 'transpose',
      code: source,
      constants: { taps, resultTaps, firstTap: first, perLine, lineStep, tapStep },
    },
    uniforms: [rows, columns],
    workgroups: [Math.ceil(rows / 64), Math.min(columns, MAX_GROUPS), groups],
  });
  return y;
}
