import { f32, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { resolveAxis, show } from '../view/view.js';
import source from './gatherElements.wgsl.js';
import gradientSource from './gatherElementsGradient.wgsl.js';

/**
 * y[..., k, ...] = data[..., indices[..., k, ...], ...] along an axis (ONNX's GatherElements, PyTorch's gather), all dense. The u32
 * indices have data's shape but for the axis. An index past the end gives NaN and takes part in no gradient, which costs a look at
 * all indices of its line for each element of `data`.
 */
export function gatherElements(b: PlanBuilder, data: Tensor, indices: Tensor, axis: number): Tensor {
  const along = resolveAxis(axis, data.shape.length, 'gatherElements');
  const others = (tensor: Tensor) => tensor.shape.map((size, i) => (i === along ? '*' : size)).join();
  const isDense = data.layout === 'dense' && indices.layout === 'dense' && indices.dtype === 'u32';
  if (!isDense || data.dtype === 'u32' || others(data) !== others(indices)) {
    throw new EngineError(
      'INVALID_SHAPE',
      `gatherElements takes dense float data and dense u32 indices that differ in size along axis ${along} only; got ${show(data)} and ${show(indices)}.`,
    );
  }
  const y = b.temporary(`gather ${data.label}`, indices.shape, { layout: 'dense', dtype: data.dtype });
  const inner = elementCount(data.shape.slice(along + 1));
  const uniforms = (tensor: Tensor) => [
    elementCount(tensor.shape),
    inner,
    data.shape[along] as number,
    indices.shape[along] as number,
    f32(Number.NaN),
  ];
  b.dispatch({
    label: y.label,
    program: { label: 'gather elements', code: source },
    bindings: [read(data), read(indices), write(y)],
    uniforms: uniforms(y),
    workgroups: linearGrid(elementCount(y.shape)),
  });
  return b.differentiable([data], y, (dy) => {
    const dx = b.temporary(`d ${data.label}`, data.shape, { layout: 'dense', dtype: data.dtype });
    b.dispatch({
      label: dx.label,
      program: { label: 'gather elements gradient', code: gradientSource },
      bindings: [read(dy), read(indices), write(dx)],
      uniforms: uniforms(dx),
      workgroups: linearGrid(elementCount(dx.shape)),
    });
    return [dx];
  });
}
