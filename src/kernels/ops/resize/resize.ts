import { type Grid, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { Program } from '../../engine.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import type { Pair } from '../window.js';
import { show } from '../view/view.js';
import { axisOf, type ResizeCoordinates } from './coordinates.js';
import source from './resize.wgsl.js';
import axisSource from './resizeAxis.wgsl.js';
import gradientSource from './resizeGradient.wgsl.js';

/** How `nearest` rounds a place between two pixels; `round_prefer_...` says where a half goes. */
export type NearestRounding = 'floor' | 'ceil' | 'round_prefer_floor' | 'round_prefer_ceil';

export interface ResizeAttributes {
  /** Height and width of the result. */
  readonly size: Pair;
  /** The scales that coordinates are made with, where they are not the quotients of the sizes (ONNX's `scales`). Positive. */
  readonly scale?: Pair;
  /** `linear` is bilinear without antialiasing; places outside take the outermost pixel. */
  readonly mode: 'nearest' | 'linear';
  readonly coordinates: ResizeCoordinates;
  /** `nearest` only; ONNX's default, `round_prefer_floor`, without. */
  readonly rounding?: NearestRounding;
}

const ROUNDINGS: readonly NearestRounding[] = ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'];

/** Resizes maps in rows: [N, C, H, W] -> [N, C, H', W']. Throws `INVALID_SHAPE`, or `LIMIT_EXCEEDED` for huge sizes. */
export function resize(b: PlanBuilder, x: Tensor, attributes: ResizeAttributes): Tensor {
  const { size, scale, mode, coordinates, rounding = 'round_prefer_floor' } = attributes;
  const areScales = !scale || scale.every((value) => Number.isFinite(value) && value > 0);
  if (x.shape.length !== 4 || x.layout !== 'rows' || !areScales) {
    throw new EngineError(
      'INVALID_SHAPE',
      `resize takes [N, C, H, W] in rows and positive scales; got ${show(x)} (${x.layout})${scale ? `, scales ${scale.join(', ')}` : ''}.`,
    );
  }
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const y = b.temporary(`resize ${x.label}`, [n, c, ...size]);
  const shared = [
    rowLayout(y.shape).stride,
    rowLayout(x.shape).stride,
    mode === 'linear' ? 0 : 1 + ROUNDINGS.indexOf(rounding),
    ...axisOf(h, size[0], scale?.[0] ?? null, coordinates),
    ...axisOf(w, size[1], scale?.[1] ?? null, coordinates),
  ];
  const over = (tensor: Tensor, label: string, kernel: string): { program: Program; workgroups: Grid } => {
    const { rows, columns } = rowLayout(tensor.shape);
    // All sizes are constants of the program: a software adapter divides by anything else lane by lane, for long.
    const parameters = [rows * columns, columns, ...shared].join(', ');
    const code = `${axisSource}\nconst p = Parameters(${parameters});\n${kernel}`;
    return { program: { label, code }, workgroups: linearGrid(rows * columns) };
  };
  b.dispatch({
    label: y.label,
    bindings: [read(x), write(y)],
    ...over(y, 'resize', source),
  });
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape);
    b.dispatch({
      label: `d ${y.label}`,
      bindings: [read(dy), write(dx)],
      ...over(x, 'resize gradient', gradientSource),
    });
    return [dx];
  });
}
