import { f32, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { type AxisView, axisView } from '../view/axisView.js';
import { resolveAxis, show } from '../view/view.js';
import gradientSource from './gatherGradient.wgsl.js';
import source from './gather.wgsl.js';

/**
 * The elements of float `data` at `indices` along an axis (ONNX's Gather): the axis is replaced by the dimensions of the dense
 * u32 `indices`. Data in rows take indices of one dimension, which keep the rank. An index past the end gives NaN and takes part
 * in no gradient. The gradient costs a look at every index for each element of `data`.
 */
export function gather(b: PlanBuilder, data: Tensor, indices: Tensor, axis = 0): Tensor {
  const along = resolveAxis(axis, data.shape.length, 'gather');
  const keepsRank = data.layout === 'dense' || indices.shape.length === 1;
  if (indices.dtype !== 'u32' || indices.layout !== 'dense' || data.dtype === 'u32' || !keepsRank) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `gather takes float data and dense u32 indices, of one dimension for data in rows; got ${show(data)} (${data.dtype}, ${data.layout}) and ${show(indices)} (${indices.dtype}, ${indices.layout}).`,
    );
  }
  const shape = [...data.shape.slice(0, along), ...indices.shape, ...data.shape.slice(along + 1)];
  const y = b.temporary(`gather ${data.label}`, shape, { layout: data.layout, dtype: data.dtype });
  const view = axisView(data, along);
  const chosen = elementCount(indices.shape);
  const result = { ...view, size: chosen, rowStride: rowStrideOf(y, along) };
  const uniforms = (of: AxisView) => {
    const perRow = of.outer * of.size * of.inner;
    const nan = f32(Number.NaN);
    return [of.rows * perRow, perRow, view.inner, view.size, chosen, view.rowStride, result.rowStride, nan];
  };
  const grid = (of: AxisView) => linearGrid(of.rows * of.outer * of.size * of.inner);
  b.dispatch({
    label: 'gather',
    program: { label: 'gather', code: source },
    bindings: [read(data), read(indices), write(y)],
    uniforms: uniforms(result),
    workgroups: grid(result),
  });
  return b.differentiable([data], y, (dy) => {
    const dx = b.temporary(`d ${data.label}`, data.shape, { layout: data.layout, dtype: data.dtype });
    b.dispatch({
      label: 'gather gradient',
      program: { label: 'gather gradient', code: gradientSource },
      bindings: [read(dy), read(indices), write(dx)],
      uniforms: uniforms(view),
      workgroups: grid(view),
    });
    return [dx];
  });
}

const rowStrideOf = (y: Tensor, axis: number): number => (y.layout === 'rows' ? axisView(y, axis).rowStride : 0);
