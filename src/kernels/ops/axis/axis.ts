import type { Dispatch } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Tensor } from '../../tensor.js';
import source from './axis.wgsl.js';

/** Below this many groups a GPU shares each of them among invocations to have enough of them. */
const MANY_GROUPS = 16384;

/**
 * A tensor cut along one axis for kernels that reduce over it. A group is what one result is computed from; the groups
 * (g / inner, g % inner) lie `outer` and 1 apart and a group's elements `stride`. Where the groups next to one another lie
 * so too in memory, kernels take four at once as a `vec4f` and all numbers count quads.
 */
export interface AxisGroups {
  readonly size: number;
  readonly groups: number;
  readonly inner: number;
  readonly outer: number;
  readonly stride: number;
  readonly quads: boolean;
}

/** Groups along `axis` of a dense tensor (negative: from the end), or along the channels of one in `rows`. */
export function axisGroups(x: Tensor, axis: number, what: string): AxisGroups {
  const rank = x.shape.length;
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(at) || at < 0 || at >= rank || (x.layout === 'rows' && at !== 1)) {
    const allowed = x.layout === 'rows' ? 'only over channels, axis 1,' : `over axes ${-rank}..${rank - 1}`;
    throw new EngineError(
      'INVALID_ARGUMENT',
      `${what} works ${allowed} of ${x.layout} [${x.shape.join(', ')}]; got ${axis}.`,
    );
  }
  if (x.layout === 'rows') {
    const { rows, stride } = rowLayout(x.shape);
    return { size: rows, groups: stride / 4, inner: stride / 4, outer: 0, stride: stride / 4, quads: true };
  }
  const size = x.shape[at] as number;
  const inner = elementCount(x.shape.slice(at + 1));
  return denseGroups(elementCount(x.shape.slice(0, at)), size, inner);
}

/** Groups along the middle axis of dense [before, size, inner]. */
export function denseGroups(before: number, size: number, inner: number): AxisGroups {
  const width = inner % 4 === 0 ? 4 : 1;
  const across = inner / width;
  return { size, groups: before * across, inner: across, outer: size * across, stride: across, quads: width === 4 };
}

/**
 * Program, uniforms and grid of a kernel over groups. Its source follows `axis.wgsl`: E is the type that it computes in, S0, S1,
 * ... those of the bindings; `own` uniforms come behind those of the groups.
 */
export function axisKernel(
  b: PlanBuilder,
  name: string,
  kernel: string,
  groups: AxisGroups,
  bindings: Dispatch['bindings'],
  own: NonNullable<Dispatch['uniforms']> = [],
): Dispatch {
  const contiguous = groups.inner === 1;
  const { lanes, columns } = split(b, groups, contiguous);
  return {
    label: name,
    program: {
      label: name,
      code: elementTypes(groups.quads, bindings.length) + source + kernel,
      constants: { lanes, columns, contiguous: contiguous ? 1 : 0 },
    },
    bindings,
    uniforms: [groups.size, groups.groups, groups.inner, groups.outer, groups.stride, ...own],
    workgroups: spread(Math.ceil(groups.groups / columns)),
  };
}

/**
 * The same for kernels that place their groups' elements themselves, `size` loads each, side by side in memory: program,
 * constants and grid. E is the type of their sums.
 */
export function reductionKernel(
  b: PlanBuilder,
  name: string,
  kernel: string,
  element: 'f32' | 'vec2f',
  { size, groups }: { readonly size: number; readonly groups: number },
): Pick<Dispatch, 'label' | 'program' | 'workgroups'> {
  const { lanes, columns } = split(b, { size, groups }, true);
  return {
    label: name,
    program: {
      label: name,
      code: `alias E = ${element};\n${source}${kernel}`,
      constants: { lanes, columns, contiguous: 1 },
    },
    workgroups: spread(Math.ceil(groups / columns)),
  };
}

/** E and S0, S1, ...: numbers, or four of them. */
export function elementTypes(quads: boolean, bindings: number): string {
  const aliases = Array.from({ length: bindings }, (_, i) => `alias S${i} = ${quads ? 'V' : 'T'}${i};\n`);
  return `alias E = ${quads ? 'vec4f' : 'f32'};\n${aliases.join('')}`;
}

/** Workgroups side by side, in y too where there are many: index = y * groups in x + x. */
export function spread(count: number): Dispatch['workgroups'] {
  const y = Math.ceil(count / 65535);
  return [Math.ceil(count / y), y, 1];
}

/** A workgroup takes `columns` groups, `lanes` invocations each. */
function split(
  b: PlanBuilder,
  { size, groups }: Pick<AxisGroups, 'size' | 'groups'>,
  contiguous: boolean,
): { lanes: number; columns: number } {
  // A lane of a software adapter is a lane of one register: more of them per group would only wait at barriers.
  if (b.engine.kernelFamily === 'subgroup8' && groups >= 8) return { lanes: 1, columns: 8 };
  if (b.engine.kernelFamily === 'subgroup8') return { lanes: 8, columns: 1 };
  if (!contiguous && groups >= MANY_GROUPS) return { lanes: 1, columns: 64 };
  const wanted = contiguous ? 64 : 8;
  let lanes = 1;
  while (lanes < wanted && lanes < size) lanes *= 2;
  return { lanes, columns: 64 / lanes };
}
