import { type Dispatch, linearGrid, read, write } from '../../dispatch.js';
import type { Program } from '../../engine.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { STRIP, STRIP_LANES } from '../depthwise/stripSource.js';
import { everyWindowSeesPixels, type Pair, pooledLength, type WindowPadding } from '../window.js';
import averageSource from './averagePool.wgsl.js';
import averageGradientSource from './averagePoolGradient.wgsl.js';
import maxSource from './maxPool.wgsl.js';
import maxGradientSource from './maxPoolGradient.wgsl.js';
import { maxPoolStripSource } from './maxPoolStripSource.js';
import windowsSource from './poolWindows.wgsl.js';

export interface PoolAttributes {
  readonly kernel: Pair;
  readonly stride: Pair;
  /** So small that every window sees a pixel. */
  readonly padding: WindowPadding;
  /** Whether a last window that is not whole counts (the rule of PyTorch and ONNX). */
  readonly ceilMode: boolean;
  /** Distance of a window's pixels; 1 without. */
  readonly dilation?: Pair;
}

/**
 * Largest pixel of each window: [N, C, H, W] -> [N, C, H', W']. The gradient goes to the first largest pixel in reading order.
 * Throws `INVALID_SHAPE` where no window fits or one sees padding only.
 */
export function maxPool(b: PlanBuilder, x: Tensor, attributes: PoolAttributes): Tensor {
  const y = outputOf(b, x, attributes, 'max pool');
  // Which pixel was the largest only a gradient asks for.
  if (!x.requiresGradient && stripsApply(b, attributes)) {
    b.dispatch(maxPoolStrips(x, y, attributes));
    return y;
  }
  const chosen = b.temporary(`chosen ${x.label}`, y.shape, { dtype: 'u32' });
  const shared = [...windowUniforms(x, y, attributes), 0];
  b.dispatch({
    label: y.label,
    program: poolProgram('max pool', maxSource, [...sizes(y), ...shared]),
    bindings: [read(x), write(y), write(chosen)],
    workgroups: gridOver(y),
  });
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape);
    const [n, c, h, w] = x.shape as [number, number, number, number];
    const blocks = n * Math.ceil(h / 2) * Math.ceil(w / 4);
    b.dispatch({
      label: `d ${y.label}`,
      program: poolProgram('max pool gradient', maxGradientSource, [c * blocks, blocks, ...shared]),
      bindings: [read(dy), read(chosen), write(dx)],
      workgroups: linearGrid(c * blocks),
    });
    return [dx];
  });
}

/** Largest window side for which the strip kernel is generated. */
const LARGEST_STRIP_KERNEL = 7;

function stripsApply(b: PlanBuilder, { kernel, stride, dilation = [1, 1] }: PoolAttributes): boolean {
  return (
    b.engine.kernelFamily === 'subgroup8' &&
    dilation.every((value) => value === 1) &&
    kernel.every((side, axis) => side <= LARGEST_STRIP_KERNEL && (stride[axis] as number) <= side)
  );
}

function maxPoolStrips(x: Tensor, y: Tensor, { kernel, stride, padding }: PoolAttributes): Dispatch {
  const [, , height, width] = x.shape as [number, number, number, number];
  const [batch, , pixelHeight, pixelWidth] = y.shape as [number, number, number, number];
  const { rows, stride: resultStride } = rowLayout(y.shape);
  const stripsPerLine = Math.ceil(pixelWidth / STRIP);
  const strips = batch * stripsPerLine;
  const code = maxPoolStripSource({
    kernel,
    stride,
    left: padding.left,
    quadsIn: width % 4 === 0,
    quadsOut: pixelWidth % 4 === 0,
  });
  return {
    label: y.label,
    program: { label: `max pool strips ${kernel.join('x')} / ${stride.join('x')}`, code },
    bindings: [read(x), write(y)],
    uniforms: [
      strips,
      rows,
      stripsPerLine,
      resultStride,
      rowLayout(x.shape).stride,
      height,
      width,
      pixelHeight,
      pixelWidth,
      -padding.top,
    ],
    workgroups: linearGrid(strips * rows, STRIP_LANES),
  };
}

/**
 * Mean of each window: [N, C, H, W] -> [N, C, H', W']. `countIncludePad` counts the padding in the divisor, but
 * not what a last window in ceil mode covers past it. Throws `INVALID_SHAPE` where no window fits or one sees padding only.
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
    program: poolProgram('average pool', averageSource, [...sizes(y), ...shared]),
    bindings: [read(x), write(y)],
    workgroups: gridOver(y),
  });
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape);
    b.dispatch({
      label: `d ${y.label}`,
      program: poolProgram('average pool gradient', averageGradientSource, [...sizes(x), ...shared]),
      bindings: [read(dy), write(dx)],
      workgroups: gridOver(x),
    });
    return [dx];
  });
}

/**
 * All sizes are constants of the program: an integer division by anything else takes a software adapter as long as several loads
 * from memory, and there are half a dozen for every pixel.
 */
function poolProgram(label: string, source: string, parameters: readonly number[]): Program {
  return { label, code: `${windowsSource}\nconst p = Parameters(${parameters.join(', ')});\n${source}` };
}

function outputOf(b: PlanBuilder, x: Tensor, attributes: PoolAttributes, label: string): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const { kernel, stride, padding, ceilMode, dilation = [1, 1] } = attributes;
  const along = (size: number, axis: 0 | 1, before: number, after: number): number | null => {
    const length = pooledLength(size, kernel[axis], stride[axis], before, after, ceilMode, dilation[axis]);
    if (!(length >= 1)) return null;
    return everyWindowSeesPixels(length, size, kernel[axis], stride[axis], before, dilation[axis]) ? length : null;
  };
  const height = along(h, 0, padding.top, padding.bottom);
  const width = along(w, 1, padding.left, padding.right);
  if (x.shape.length !== 4 || height === null || width === null) {
    throw new EngineError(
      'INVALID_SHAPE',
      `A ${label} takes [N, C, H, W] of at least its window, and so little padding that every window sees a pixel; got ${x.label} [${x.shape.join(', ')}], a window ${kernel.join(' x ')}, dilation ${dilation.join(', ')}, padding ${Object.values(padding).join(', ')}.`,
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

function windowUniforms(
  x: Tensor,
  y: Tensor,
  { kernel, stride, padding, dilation = [1, 1] }: PoolAttributes,
): number[] {
  const spatial = (tensor: Tensor) => tensor.shape.slice(2);
  const { top, left, bottom, right } = padding;
  const strides = [rowLayout(y.shape).stride, rowLayout(x.shape).stride];
  return [...strides, ...spatial(x), ...kernel, ...spatial(y), ...stride, top, left, bottom, right, ...dilation];
}
