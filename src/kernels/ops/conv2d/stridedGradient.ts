import { MAX_GROUPS, read, write } from '../../dispatch.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import type { PatchGeometry } from '../product/operand.js';
import { product } from '../product/product.js';
import { transposeDense } from '../product/transpose.js';
import { reductionLanes } from '../sumRows/sumRows.js';
import type { ConvolutionGradient } from './conv2d.js';
import interleaveSource from './interleavePhases.wgsl.js';
import { patches } from './patches.js';

/** As many phases as the kernel that puts them together binds. */
const LARGEST_STRIDE = 2;

/** Whether `stridedInputGradient` computes the gradient of a convolution's input. */
export const hasPhases = ({ step, tap }: PatchGeometry): boolean =>
  step.some((stride) => stride > 1) &&
  step.every((stride) => stride <= LARGEST_STRIDE) &&
  tap.every((dilation) => dilation === 1);

/** The pixels of one axis whose place, with the padding, leaves the rest `phase` in the division by the stride. */
function axisPhase(phase: number, { size, kernel, step, start }: PatchGeometry, axis: 0 | 1) {
  const stride = step[axis];
  const before = -start[axis];
  const firstPixel = (((phase - before) % stride) + stride) % stride;
  return {
    pixels: Math.max(0, Math.ceil((size[axis] - firstPixel) / stride)),
    /** Taps phase, phase + stride, ... meet these pixels. */
    taps: Math.max(0, Math.ceil((kernel[axis] - phase) / stride)),
    /** The output that the first of these pixels and the first of these taps meet. */
    start: (firstPixel + before - phase) / stride,
  };
}

/**
 * Gradient of a strided convolution's input without the products with zero. Pixel p and tap t meet output q where
 * p + padding = q stride + t, so only every stride-th tap meets a pixel, and pixels of one phase (p + padding) mod stride share
 * them: each phase is a convolution of dy of its own with stride 1. What they give is put together at the end.
 */
export function stridedInputGradient(b: PlanBuilder, { x, weight, dy, geometry, groups }: ConvolutionGradient): Tensor {
  const [outChannels, groupChannels, kh, kw] = weight.shape as [number, number, number, number];
  const [batch, channels] = x.shape as [number, number];
  const rowsPerGroup = outChannels / groups;
  const [strideY, strideX] = geometry.step;
  const phases = Array.from({ length: strideY * strideX }, (_, index) => {
    const [phaseY, phaseX] = [Math.floor(index / strideX), index % strideX];
    const vertical = axisPhase(phaseY, geometry, 0);
    const horizontal = axisPhase(phaseX, geometry, 1);
    const shape = [batch, channels, vertical.pixels, horizontal.pixels];
    const taps = vertical.taps * horizontal.taps;
    if (taps === 0 || vertical.pixels === 0 || horizontal.pixels === 0) return { result: null, shape };
    const result = b.temporary(`d ${x.label}, phase ${phaseY} ${phaseX}`, shape);
    const left = transposeDense(b, weight, [groups, rowsPerGroup, groupChannels, kh * kw], {
      first: phaseY * kw + phaseX,
      lines: vertical.taps,
      perLine: horizontal.taps,
      lineStep: strideY * kw,
      tapStep: strideX,
    });
    const ofPhase: PatchGeometry = {
      size: geometry.pixels,
      kernel: [vertical.taps, horizontal.taps],
      pixels: [vertical.pixels, horizontal.pixels],
      step: [1, 1],
      tap: [-1, -1],
      start: [vertical.start, horizontal.start],
      divisor: [1, 1],
    };
    product(b, {
      label: `conv2d input gradient ${weight.label}`,
      groups,
      rows: groupChannels,
      columns: rowLayout(shape).columns,
      depth: rowsPerGroup * taps,
      left,
      leftStride: rowsPerGroup * taps,
      right: patches(dy, ofPhase, rowsPerGroup),
      result,
    });
    return { result, shape };
  });
  const dx = b.temporary(`d ${x.label}`, x.shape);
  const [height, width] = geometry.size;
  const { rows, stride } = rowLayout(dx.shape);
  const present = phases.reduce((bits, { result }, index) => bits | (result ? 1 << index : 0), 0);
  const sizes = Array.from({ length: LARGEST_STRIDE ** 2 }, (_, index) => {
    const { result, shape = [] } = phases[index] ?? { result: null };
    return [result ? rowLayout(result.shape).stride : 0, shape[2] ?? 0, shape[3] ?? 0, 0];
  });
  b.dispatch({
    label: `interleave ${dx.label}`,
    program: {
      label: 'interleave phases',
      code: interleaveSource,
      constants: { ...reductionLanes(b), strideY, strideX },
    },
    // A phase that is not there still needs a binding.
    bindings: [...sizes.map((_, index) => read(phases[index]?.result ?? dy)), write(dx)],
    uniforms: [
      batch * height,
      height,
      width,
      stride,
      -geometry.start[0],
      -geometry.start[1],
      present,
      0,
      ...sizes.flat(),
    ],
    workgroups: [Math.min(batch * height, MAX_GROUPS), rows, 1],
  });
  return dx;
}
