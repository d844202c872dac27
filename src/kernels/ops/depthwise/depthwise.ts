import { type Dispatch, linearGrid, type PlanBuilder, read, write } from '../../plan.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { activationUniforms } from '../activation/activation.js';
import type { Conv2dEpilogue, ConvolutionGradient } from '../conv2d/conv2d.js';
import { geometryUniforms, gradientGeometry, type PatchGeometry } from '../product/operand.js';
import { FLAG_ACTIVATION, FLAG_BIAS, FLAG_RESIDUAL } from '../product/parameters.js';
import gatherSource from './depthwise.wgsl.js';
import weightGradientSource from './depthwiseWeightGradient.wgsl.js';
import { STRIP, STRIP_LANES, stripSource } from './stripSource.js';

interface Depthwise {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly y: Tensor;
  readonly geometry: PatchGeometry;
  readonly epilogue?: Conv2dEpilogue;
}

/** Largest kernel side for which the strip kernel is generated; its source grows with the kernel's area. */
const LARGEST_STRIP_KERNEL = 7;

/**
 * Convolution with one input channel per group: x [N, C, H, W], weight [O, 1, kh, kw], O a multiple of C (the channel
 * multiplier), into y [N, O, H', W'].
 */
export function depthwise(b: PlanBuilder, options: Depthwise): void {
  const { x, y, weight, geometry } = options;
  const multiplier = (y.shape[1] as number) / (x.shape[1] as number);
  const strip = multiplier === 1 ? stripDispatch(b, options, geometry, false) : null;
  b.dispatch(strip ?? gatherDispatch(options, `depthwise ${weight.label}`, 1, multiplier));
}

/** dx of a depthwise convolution: what each input pixel gave to the outputs. */
export function depthwiseInputGradient(b: PlanBuilder, { x, weight, dy, geometry }: ConvolutionGradient): Tensor {
  const multiplier = (dy.shape[1] as number) / (x.shape[1] as number);
  const dx = b.temporary(`d ${x.label}`, x.shape);
  const backward = gradientGeometry(geometry);
  const options: Depthwise = { x: dy, weight, y: dx, geometry: backward };
  const { tap, start, kernel } = backward;
  // With dilation 1, counting the taps from the other end makes it a forward convolution with the kernel turned round.
  const turned: PatchGeometry | null =
    tap[0] === -1 && tap[1] === -1
      ? { ...backward, tap: [1, 1], start: [start[0] - (kernel[0] - 1), start[1] - (kernel[1] - 1)] }
      : null;
  const strip = turned && multiplier === 1 ? stripDispatch(b, options, turned, true) : null;
  b.dispatch(strip ?? gatherDispatch(options, `depthwise input gradient ${weight.label}`, multiplier, 1));
  return dx;
}

/** dw of a depthwise convolution, dense [O, 1, kh, kw]. */
export function depthwiseWeightGradient(b: PlanBuilder, { x, weight, dy, geometry }: ConvolutionGradient): Tensor {
  const { rows, columns, stride } = rowLayout(dy.shape);
  const dWeight = b.temporary(`d ${weight.label}`, weight.shape, { layout: 'dense' });
  const [kernelHeight, kernelWidth] = geometry.kernel;
  b.dispatch({
    label: `depthwise weight gradient ${weight.label}`,
    program: { label: 'depthwise weight gradient', code: weightGradientSource },
    bindings: [read(x), read(dy), write(dWeight)],
    uniforms: [
      columns / geometry.pixels[1],
      stride,
      rowLayout(x.shape).stride,
      rows / (x.shape[1] as number),
      ...geometryUniforms(geometry),
    ],
    workgroups: [kernelHeight * kernelWidth, rows, 1],
  });
  return dWeight;
}

function epilogueOf({ epilogue, weight }: Depthwise) {
  const { bias, residual, activation } = epilogue ?? {};
  const flags = (bias ? FLAG_BIAS : 0) | (residual ? FLAG_RESIDUAL : 0) | (activation ? FLAG_ACTIVATION : 0);
  // A switched-off bias or residual still needs a binding; its flag keeps it from being read.
  return { flags, upper: activationUniforms(activation).upper, bias: bias ?? weight, residual: residual ?? weight };
}

function gatherDispatch(options: Depthwise, label: string, spread: number, mergeRows: number): Dispatch {
  const { x, weight, y, geometry } = options;
  const { rows, columns, stride } = rowLayout(y.shape);
  const { flags, upper, bias, residual } = epilogueOf(options);
  return {
    label,
    program: { label: 'depthwise', code: gatherSource },
    bindings: [read(x), read(weight), read(bias), read(residual), write(y)],
    uniforms: [
      rows * columns,
      columns,
      stride,
      rowLayout(x.shape).stride,
      spread,
      mergeRows,
      flags,
      upper,
      ...geometryUniforms(geometry),
    ],
    workgroups: linearGrid(rows * columns),
  };
}

/** The strip kernel's dispatch, or null where it does not apply. */
function stripDispatch(b: PlanBuilder, options: Depthwise, geometry: PatchGeometry, flip: boolean): Dispatch | null {
  const { kernel, step, tap, divisor, size, pixels, start } = geometry;
  const applies =
    b.engine.kernelFamily === 'subgroup8' &&
    [...tap, ...divisor].every((value) => value === 1) &&
    kernel.every((side, axis) => side <= LARGEST_STRIP_KERNEL && (step[axis] as number) <= side);
  if (!applies) return null;
  const { x, weight, y } = options;
  const { rows, columns, stride } = rowLayout(y.shape);
  const { flags, upper, bias, residual } = epilogueOf(options);
  const stripsPerLine = Math.ceil(pixels[1] / STRIP);
  const strips = (columns / (pixels[0] * pixels[1])) * stripsPerLine;
  return {
    label: `depthwise strips ${weight.label}`,
    program: { label: `depthwise strips ${kernel.join('x')} / ${step.join('x')}`, code: stripSource(kernel, step) },
    bindings: [read(x), read(weight), read(bias), read(residual), write(y)],
    uniforms: [
      strips,
      stripsPerLine,
      stride,
      rowLayout(x.shape).stride,
      pixels[0],
      flip ? 1 : 0,
      flags,
      upper,
      ...size,
      ...pixels,
      ...start,
    ],
    workgroups: [Math.ceil(strips / STRIP_LANES), rows, 1],
  };
}
