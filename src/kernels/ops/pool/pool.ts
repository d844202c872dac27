import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { type Pair, pooledLength, type WindowPadding } from '../window.js';
import averageSource from './averagePool.wgsl.js';
import averageGradientSource from './averagePoolGradient.wgsl.js';
import maxSource from './maxPool.wgsl.js';
import maxGradientSource from './maxPoolGradient.wgsl.js';

export interface PoolAttributes {
  readonly kernel: Pair;
  readonly stride: Pair;
  /** Smaller than the kernel on every side. */
  readonly padding: WindowPadding;
  /** Whether a last window that is not whole counts (PyTorch's rule). */
  readonly ceilMode: boolean;
}

/**
 * Largest pixel of each window: [N, C, H, W] -> [N, C, H', W']. The gradient goes to the first largest pixel in reading order.
 * Throws `INVALID_SHAPE` where no window fits.
 */
export function maxPool(b: PlanBuilder, x: Tensor, attributes: PoolAttributes): Tensor {
  const y = outputOf(b, x, attributes, 'max pool');
  const chosen = b.temporary(`chosen ${x.label}`, y.shape, { dtype: 'u32' });
  const shared = windowUniforms(x, y, attributes);
  b.dispatch({
    label: y.label,
    program: { label: 'max pool', code: maxSource },
    bindings: [read(x), write(y), write(chosen)],
    uniforms: [...sizes(y), ...shared],
    workgroups: gridOver(y),
  });
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape);
    b.dispatch({
      label: `d ${y.label}`,
      program: { label: 'max pool gradient', code: maxGradientSource },
      bindings: [read(dy), read(chosen), write(dx)],
      uniforms: [...sizes(x), ...shared],
      workgroups: gridOver(x),
    });
    return [dx];
  });
}

/**
 * Mean of each window: [N, C, H, W] -> [N, C, H', W']. `countIncludePad` counts the padding in the divisor.
 * Throws `INVALID_SHAPE` where no window fits.
 */
export function averagePool(
  b: PlanBuilder,
  x: Tensor,
  attributes: PoolAttributes & { readonly countIncludePad: boolean },
): Tensor {
  const y = outputOf(b, x, attributes, 'average pool');
  const shared = [...windowUniforms(x, y, attributes), attributes.countIncludePad ? 1 : 0];
  b.dispatch({
    label: y.label,
    program: { label: 'average pool', code: averageSource },
    bindings: [read(x), write(y)],
    uniforms: [...sizes(y), ...shared],
    workgroups: gridOver(y),
  });
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape);
    b.dispatch({
      label: `d ${y.label}`,
      program: { label: 'average pool gradient', code: averageGradientSource },
      bindings: [read(dy), write(dx)],
      uniforms: [...sizes(x), ...shared],
      workgroups: gridOver(x),
    });
    return [dx];
  });
}

function outputOf(b: PlanBuilder, x: Tensor, attributes: PoolAttributes, label: string): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const { kernel, stride, padding, ceilMode } = attributes;
  const height = pooledLength(h, kernel[0], stride[0], padding.top, padding.bottom, ceilMode);
  const width = pooledLength(w, kernel[1], stride[1], padding.left, padding.right, ceilMode);
  const paddingFits =
    Math.max(padding.top, padding.bottom) < kernel[0] && Math.max(padding.left, padding.right) < kernel[1];
  if (x.shape.length !== 4 || !(height >= 1 && width >= 1) || !paddingFits) {
    throw new EngineError(
      'INVALID_SHAPE',
      `A ${label} takes [N, C, H, W] of at least its window ${kernel.join(' x ')}, with padding smaller than the window; got ${x.label} [${x.shape.join(', ')}], padding ${Object.values(padding).join(', ')}.`,
    );
  }
  return b.temporary(`${label} ${x.label}`, [n, c, height, width]);
}

/** What one invocation per element of `tensor` needs: their number and how many make a row. */
function sizes(tensor: Tensor): number[] {
  const { rows, columns } = rowLayout(tensor.shape);
  return [rows * columns, columns];
}

function gridOver(tensor: Tensor) {
  const { rows, columns } = rowLayout(tensor.shape);
  return linearGrid(rows * columns);
}

function windowUniforms(x: Tensor, y: Tensor, { kernel, stride, padding }: PoolAttributes): number[] {
  const spatial = (tensor: Tensor) => tensor.shape.slice(2);
  const { top, left, bottom, right } = padding;
  const strides = [rowLayout(y.shape).stride, rowLayout(x.shape).stride];
  return [...strides, ...spatial(x), ...kernel, ...spatial(y), ...stride, top, left, bottom, right];
}
