import { type Binding, linearGrid, read } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { alignTo, elementCount, rowLayout, type Tensor } from '../../tensor.js';
import copySource from './copy.wgsl.js';
import { walkSource } from './walkSource.js';

/** A loop of a copy: `size` elements, so many elements apart in the source (`from`) and in the target (`to`). */
export interface CopyAxis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

const MAX_AXES = 8;

/** The loops from the slowest to the fastest in the target, those of one place left out and adjacent ones joined. */
export function joinAxes(axes: readonly CopyAxis[]): CopyAxis[] {
  const joined: CopyAxis[] = [];
  for (const axis of axes.filter(({ size }) => size > 1).sort((a, b) => b.to - a.to || b.from - a.from)) {
    const outer = joined.at(-1);
    if (outer && outer.from === axis.from * axis.size && outer.to === axis.to * axis.size) {
      joined[joined.length - 1] = { ...axis, size: outer.size * axis.size };
    } else joined.push(axis);
  }
  return joined.length > 0 ? joined : [{ size: 1, from: 1, to: 1 }];
}

/** The uniforms that `walkSource` reads as `axes`. Throws `LIMIT_EXCEEDED` for more than 8 loops. */
export function axisUniforms(axes: readonly CopyAxis[], label: string): number[] {
  if (axes.length > MAX_AXES) {
    throw new EngineError('LIMIT_EXCEEDED', `${label}: ${axes.length} separate dimensions; at most ${MAX_AXES}.`);
  }
  const uniforms = axes.flatMap(({ size, from, to }) => [size, from, to, 0]);
  return [...uniforms, ...Array.from({ length: 4 * MAX_AXES - uniforms.length }, () => 0)];
}

/** A loop over whole rows, or over a whole dense tensor, may run over the padding too, which makes whole quads of it. */
export function wholeLength(size: number, source: Tensor, target: Tensor): number {
  const columns = ({ shape, layout }: Tensor) => (layout === 'rows' ? rowLayout(shape).columns : elementCount(shape));
  const isWhole = source.layout === target.layout && size === columns(source) && size === columns(target);
  return isWhole ? alignTo(size, 4) : size;
}

export interface ViewCopy {
  readonly label: string;
  readonly source: Tensor;
  /** Element of the source's buffer at which the view begins. */
  readonly from?: number;
  /** `write` where the copy covers the target, else `readwrite`. */
  readonly target: Binding;
  readonly to?: number;
  readonly axes: readonly CopyAxis[];
}

/** Copies a strided view into a strided view, by quads wherever sizes and strides allow it. */
export function copyView(b: PlanBuilder, { label, source, from = 0, target, to = 0, axes }: ViewCopy): void {
  let loops = joinAxes(axes);
  const inner = loops.at(-1) as CopyAxis;
  let isQuads = false;
  if (inner.from === 1 && inner.to === 1) {
    const size = wholeLength(inner.size, source, target.tensor);
    const outer = loops.slice(0, -1);
    isQuads = [from, to, size, ...outer.flatMap((axis) => [axis.from, axis.to])].every((value) => value % 4 === 0);
    if (isQuads) {
      loops = [
        ...outer.map((axis) => ({ size: axis.size, from: axis.from / 4, to: axis.to / 4 })),
        { size: size / 4, from: 1, to: 1 },
      ];
      loops = joinAxes(loops);
    }
  }
  const kind = isQuads ? 'V' : 'T';
  const [fromUnit, toUnit] = isQuads ? [from / 4, to / 4] : [from, to];
  const count = loops.reduce((product, { size }) => product * size, 1);
  b.dispatch({
    label,
    program: {
      label: `copy view by ${isQuads ? 'quads' : 'elements'}, ${loops.length} loops`,
      code: `alias From = ${kind}0;\nalias To = ${kind}1;\n${copySource}\n${walkSource(loops.length, isQuads ? undefined : loops.map(({ size }) => size))}`,
    },
    bindings: [read(source), target],
    uniforms: [count, loops.length, fromUnit, toUnit, ...axisUniforms(loops, label)],
    workgroups: linearGrid(count),
  });
}
