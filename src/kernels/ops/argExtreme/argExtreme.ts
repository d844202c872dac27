import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { resolveAxis, show } from '../view/view.js';
import source from './argExtreme.wgsl.js';

export interface ArgExtremeAttributes {
  readonly extreme: 'max' | 'min';
  readonly axis: number;
  /** Whether the axis stays as a dimension of size 1. */
  readonly keepDims: boolean;
  /** Which of equal elements counts. */
  readonly select: 'first' | 'last';
}

/** Place of the largest or smallest element along an axis of dense `x` (ONNX's ArgMax and ArgMin), as a float. No gradient. */
export function argExtreme(b: PlanBuilder, x: Tensor, attributes: ArgExtremeAttributes): Tensor {
  const axis = resolveAxis(attributes.axis, x.shape.length, `arg ${attributes.extreme}`);
  if (x.layout !== 'dense') {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `arg ${attributes.extreme} takes a dense tensor; ${show(x)} lies in rows.`,
    );
  }
  const shape = x.shape.flatMap((size, i) => (i === axis ? (attributes.keepDims ? [1] : []) : [size]));
  const y = b.temporary(`arg ${attributes.extreme} ${x.label}`, shape, { layout: 'dense' });
  const groups = elementCount(shape);
  b.dispatch({
    label: y.label,
    program: { label: 'arg extreme', code: source },
    bindings: [read(x), write(y)],
    uniforms: [
      groups,
      elementCount(x.shape.slice(axis + 1)),
      x.shape[axis] as number,
      attributes.extreme === 'max' ? 0 : 1,
      attributes.select === 'last' ? 1 : 0,
    ],
    workgroups: linearGrid(groups),
  });
  return y;
}
