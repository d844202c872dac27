import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { axisView } from '../view/axisView.js';
import { type Border, framedCopy } from '../view/framedCopy.js';
import { resolveAxis, show } from '../view/view.js';
import source from './fold.wgsl.js';

/** Elements put before and after along an axis; with a constant border, negative numbers take elements away. */
export interface AxisPadding {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

export interface PadAttributes {
  /** `reflect` mirrors around the outermost elements without repeating them and so reaches size - 1 far; `wrap` begins anew. */
  readonly border: Border;
  /** What a constant border is made of; 0 without. */
  readonly value?: number;
}

/**
 * Pads along the given axes, in `x`'s own layout (ONNX's Pad). Where several places show one element, its gradient is the sum of
 * theirs. Throws `INVALID_SHAPE` where nothing is left or a reflection would reach too far.
 */
export function pad(b: PlanBuilder, x: Tensor, paddings: readonly AxisPadding[], attributes: PadAttributes): Tensor {
  const { border } = attributes;
  const all = x.shape.map(() => ({ before: 0, after: 0 }));
  for (const { axis, before, after } of paddings) {
    const along = resolveAxis(axis, x.shape.length, 'pad');
    const size = x.shape[along] as number;
    const reach = border === 'reflect' ? size - 1 : Number.POSITIVE_INFINITY;
    const least = border === 'constant' ? Number.NEGATIVE_INFINITY : 0;
    if (Math.min(before, after) < least || Math.max(before, after) > reach || size + before + after < 1) {
      throw new EngineError(
        'INVALID_SHAPE',
        `pad (${border}) of ${show(x)} by ${before} and ${after} along axis ${along}: only constant padding may be negative, a reflection reaches at most ${size - 1} elements, and something has to be left.`,
      );
    }
    all[along] = { before, after };
  }
  const shape = x.shape.map((size, axis) => size + (all[axis]?.before ?? 0) + (all[axis]?.after ?? 0));
  const y = b.temporary(`pad ${x.label}`, shape, { layout: x.layout, dtype: x.dtype });
  const frames = (sign: number) => all.map(({ before }) => ({ start: sign * before, step: 1 }));
  framedCopy(b, 'pad', x, y, frames(1), { kind: border, value: attributes.value ?? 0 });
  return b.differentiable([x], y, (dy) => {
    if (border === 'constant') {
      const dx = b.temporary(`d ${x.label}`, x.shape, { layout: x.layout, dtype: x.dtype });
      framedCopy(b, 'pad gradient', dy, dx, frames(-1), { kind: 'constant' });
      return [dx];
    }
    return [
      x.shape.reduce((gradient, size, axis) => {
        const before = all[axis]?.before ?? 0;
        return gradient.shape[axis] === size ? gradient : fold(b, gradient, axis, size, before, border);
      }, dy),
    ];
  });
}

/** How the kernel names borders. */
const FOLDED = { constant: 0, edge: 1, reflect: 2, wrap: 3 } as const satisfies Record<Border, number>;

/** The gradient with one axis back at its size before the padding. */
function fold(b: PlanBuilder, dy: Tensor, axis: number, size: number, before: number, border: Border): Tensor {
  const shape = dy.shape.map((padded, i) => (i === axis ? size : padded));
  const dx = b.temporary(`${dy.label} folded`, shape, { layout: dy.layout, dtype: dy.dtype });
  const [from, to] = [axisView(dy, axis), axisView(dx, axis)];
  const perRow = to.outer * to.size * to.inner;
  // All sizes are constants of the program: a software adapter divides by anything else lane by lane, for long.
  const parameters = [
    to.rows * perRow,
    perRow,
    to.inner,
    to.size,
    from.size,
    before,
    FOLDED[border],
    to.rowStride,
    from.rowStride,
  ];
  b.dispatch({
    label: 'pad gradient',
    program: { label: 'fold border', code: `${source}\nconst p = Parameters(${parameters.join(', ')});` },
    bindings: [read(dy), write(dx)],
    workgroups: linearGrid(to.rows * perRow),
  });
  return dx;
}
