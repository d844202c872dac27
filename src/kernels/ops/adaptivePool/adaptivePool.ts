import { type Binding, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { show } from '../view/view.js';
import type { Pair } from '../window.js';
import averageSource from './adaptiveAveragePool.wgsl.js';
import averageGradientSource from './adaptiveAveragePoolGradient.wgsl.js';
import maxSource from './adaptiveMaxPool.wgsl.js';
import maxGradientSource from './adaptiveMaxPoolGradient.wgsl.js';
import windowsSource from './adaptiveWindows.wgsl.js';

/**
 * Mean of windows that share the picture out to a map of any size, PyTorch's AdaptiveAvgPool2d: [N, C, H, W] -> [N, C, ...size],
 * window o along an axis of n pixels and m windows being floor(o n / m) .. ceil((o + 1) n / m) - 1. Windows overlap where m does
 * not divide n, and repeat pixels where it is larger.
 */
export function adaptiveAveragePool(b: PlanBuilder, x: Tensor, size: Pair): Tensor {
  const y = outputOf(b, x, size, 'adaptive average pool');
  dispatch(b, y.label, averageSource, [read(x), write(y)], y, [x, y]);
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape);
    dispatch(b, `d ${y.label}`, averageGradientSource, [read(dy), write(dx)], dx, [x, y]);
    return [dx];
  });
}

/** As `adaptiveAveragePool`, the largest pixel instead of the mean; the gradient goes to the first one in reading order. */
export function adaptiveMaxPool(b: PlanBuilder, x: Tensor, size: Pair): Tensor {
  const y = outputOf(b, x, size, 'adaptive max pool');
  const chosen = b.temporary(`chosen ${x.label}`, y.shape, { dtype: 'u32' });
  dispatch(b, y.label, maxSource, [read(x), write(y), write(chosen)], y, [x, y]);
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape);
    dispatch(b, `d ${y.label}`, maxGradientSource, [read(dy), read(chosen), write(dx)], dx, [x, y]);
    return [dx];
  });
}

function outputOf(b: PlanBuilder, x: Tensor, size: Pair, label: string): Tensor {
  if (x.shape.length !== 4 || x.layout !== 'rows') {
    throw new EngineError('INVALID_SHAPE', `An ${label} takes [N, C, H, W] in rows; got ${show(x)} (${x.layout}).`);
  }
  return b.temporary(`${label} ${x.label}`, [x.shape[0] as number, x.shape[1] as number, ...size]);
}

function dispatch(
  b: PlanBuilder,
  label: string,
  source: string,
  bindings: readonly Binding[],
  over: Tensor,
  [x, y]: readonly [Tensor, Tensor],
): void {
  const { rows, columns } = rowLayout(over.shape);
  const strides = [rowLayout(y.shape).stride, rowLayout(x.shape).stride];
  const parameters = [rows * columns, columns, ...strides, ...x.shape.slice(2), ...y.shape.slice(2)];
  b.dispatch({
    label,
    // All sizes are constants of the program: a software adapter divides by anything else lane by lane, for long.
    program: {
      label: 'adaptive pool',
      code: `${windowsSource}\nconst p = Parameters(${parameters.join(', ')});\n${source}`,
    },
    bindings,
    workgroups: linearGrid(rows * columns),
  });
}
