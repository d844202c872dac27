import { type Dispatch, linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { fusedActivation } from '../activation/fused.js';
import type { Conv2dEpilogue, ConvolutionGradient } from '../conv2d/conv2d.js';
import { geometryUniforms, gradientGeometry, type PatchGeometry } from '../product/operand.js';
import { FLAG_ACTIVATION, FLAG_BIAS, FLAG_RESIDUAL } from '../product/parameters.js';
import type { Pair } from '../window.js';
import gatherSource from './depthwise.wgsl.js';
import weightGradientSource from './depthwiseWeightGradient.wgsl.js';
import { gradientStripSource, stridesFitStrips } from './gradientStripSource.js';
import { type LineGroups, lineGroups, type WholeLinesVariant, wholeLinesSource } from './wholeLinesSource.js';
import { STRIP, STRIP_LANES, stripSource } from './stripSource.js';
import { weightGradientStripSource } from './weightGradientStripSource.js';

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
  const isStripped = multiplier === 1 && stripsApply(b, geometry);
  const groups = isStripped ? lineGroups(geometry) : null;
  if (groups) b.dispatch(wholeLinesDispatch(options, groups, false));
  else if (isStripped) b.dispatch(stripDispatch(options));
  else b.dispatch(gatherDispatch(options, `depthwise ${weight.label}`, 1, multiplier));
}

/** dx of a depthwise convolution: what each input pixel gave to the outputs. */
export function depthwiseInputGradient(b: PlanBuilder, gradient: ConvolutionGradient): Tensor {
  const { x, weight, dy, geometry } = gradient;
  const multiplier = (dy.shape[1] as number) / (x.shape[1] as number);
  const dx = b.temporary(`d ${x.label}`, x.shape);
  const isStripped = multiplier === 1 && stripsApply(b, geometry) && stridesFitStrips(geometry.step);
  // With stride 1 it is the convolution of dy with the kernel turned around.
  const start: Pair = [1 - geometry.kernel[0] - geometry.start[0], 1 - geometry.kernel[1] - geometry.start[1]];
  const turned = { ...geometry, start };
  const groups = isStripped ? lineGroups(turned) : null;
  if (groups) b.dispatch(wholeLinesDispatch({ x: dy, weight, y: dx, geometry: turned }, groups, true));
  else if (isStripped) b.dispatch(inputGradientStrips(gradient, dx));
  else {
    const options = { x: dy, weight, y: dx, geometry: gradientGeometry(geometry) };
    b.dispatch(gatherDispatch(options, `depthwise input gradient ${weight.label}`, multiplier, 1));
  }
  return dx;
}

function inputGradientStrips({ weight, dy, geometry }: ConvolutionGradient, dx: Tensor): Dispatch {
  const { kernel, step, size, pixels, start } = geometry;
  const [top, left] = [-start[0], -start[1]];
  const { rows, columns, stride } = rowLayout(dx.shape);
  // A strip begins up to stride - 1 columns before the picture.
  const stripsPerLine = Math.ceil((size[1] + (left % step[1])) / STRIP);
  const strips = (columns / (size[0] * size[1])) * stripsPerLine;
  const quads = step[1] === 1 && size[1] % 4 === 0 && pixels[1] % 4 === 0;
  return {
    label: `depthwise input gradient ${weight.label}`,
    program: {
      label: `depthwise gradient strips ${kernel.join('x')} / ${step.join('x')}`,
      code: gradientStripSource({ kernel, stride: step, left, quads }),
    },
    bindings: [read(dy), read(weight), write(dx)],
    uniforms: [strips, rows, stripsPerLine, stride, rowLayout(dy.shape).stride, ...pixels, ...size, top, left],
    workgroups: linearGrid(strips * rows, STRIP_LANES),
  };
}

/** dw of a depthwise convolution, dense [O, 1, kh, kw]. */
export function depthwiseWeightGradient(b: PlanBuilder, { x, weight, dy, geometry }: ConvolutionGradient): Tensor {
  const { rows, columns, stride } = rowLayout(dy.shape);
  const dWeight = b.temporary(`d ${weight.label}`, weight.shape, { layout: 'dense' });
  const { kernel, step, size, pixels, start } = geometry;
  const common = {
    label: `depthwise weight gradient ${weight.label}`,
    bindings: [read(x), read(dy), write(dWeight)],
  };
  const inputStride = rowLayout(x.shape).stride;
  if (stripsApply(b, geometry) && rows === x.shape[1]) {
    const stripsPerLine = Math.ceil(pixels[1] / STRIP);
    const strips = (columns / (pixels[0] * pixels[1])) * stripsPerLine;
    b.dispatch({
      ...common,
      program: {
        label: `depthwise weight gradient strips ${kernel.join('x')} / ${step.join('x')}`,
        code: weightGradientStripSource({
          kernel,
          stride: step,
          left: -start[1],
          quadsIn: size[1] % 4 === 0,
          quadsOut: pixels[1] % 4 === 0,
        }),
      },
      uniforms: [strips, stripsPerLine, stride, inputStride, ...size, ...pixels, start[0]],
      workgroups: [rows, 1, 1],
    });
    return dWeight;
  }
  b.dispatch({
    ...common,
    program: { label: 'depthwise weight gradient', code: weightGradientSource },
    uniforms: [columns / pixels[1], stride, inputStride, rows / (x.shape[1] as number), ...geometryUniforms(geometry)],
    workgroups: [kernel[0] * kernel[1], rows, 1],
  });
  return dWeight;
}

/** Whether the kernels for software adapters, which walk down strips, are generated for a convolution. */
function stripsApply(b: PlanBuilder, { kernel, step, tap }: PatchGeometry): boolean {
  return (
    b.engine.kernelFamily === 'subgroup8' &&
    tap.every((value) => value === 1) &&
    kernel.every((side, axis) => side <= LARGEST_STRIP_KERNEL && (step[axis] as number) <= side)
  );
}

function epilogueOf({ epilogue, weight }: Depthwise) {
  const { bias, residual } = epilogue ?? {};
  const activation = fusedActivation(epilogue?.activation);
  const flags = (bias ? FLAG_BIAS : 0) | (residual ? FLAG_RESIDUAL : 0) | (activation.isFused ? FLAG_ACTIVATION : 0);
  // A switched-off bias or residual still needs a binding; its flag keeps it from being read.
  return { flags, activation, bias: bias ?? weight, residual: residual ?? weight };
}

function gatherDispatch(options: Depthwise, label: string, spread: number, mergeRows: number): Dispatch {
  const { x, weight, y, geometry } = options;
  const { rows, columns, stride } = rowLayout(y.shape);
  const { flags, activation, bias, residual } = epilogueOf(options);
  return {
    label,
    program: { label: 'depthwise', code: `${gatherSource}${activation.source}` },
    bindings: [read(x), read(weight), read(bias), read(residual), write(y)],
    uniforms: [
      rows * columns,
      columns,
      stride,
      rowLayout(x.shape).stride,
      spread,
      mergeRows,
      flags,
      activation.lower,
      activation.upper,
      ...geometryUniforms(geometry),
    ],
    workgroups: linearGrid(rows * columns),
  };
}

function stripDispatch(options: Depthwise): Dispatch {
  const { kernel, step, size, pixels, start } = options.geometry;
  const { x, weight, y } = options;
  const { bias, residual, activation: kind } = options.epilogue ?? {};
  const { rows, columns, stride } = rowLayout(y.shape);
  const activation = fusedActivation(kind);
  const stripsPerLine = Math.ceil(pixels[1] / STRIP);
  const strips = (columns / (pixels[0] * pixels[1])) * stripsPerLine;
  const code = stripSource({
    kernel,
    stride: step,
    left: -start[1],
    quadsIn: size[1] % 4 === 0,
    quadsOut: pixels[1] % 4 === 0,
    hasBias: Boolean(bias),
    hasResidual: Boolean(residual),
    activation: activation.isFused ? activation.source : null,
  });
  return {
    label: `depthwise strips ${weight.label}`,
    program: { label: `depthwise strips ${kernel.join('x')} / ${step.join('x')}`, code },
    bindings: [read(x), read(weight), write(y), ...(bias ? [read(bias)] : []), ...(residual ? [read(residual)] : [])],
    uniforms: [
      strips,
      rows,
      stripsPerLine,
      stride,
      rowLayout(x.shape).stride,
      activation.lower,
      activation.upper,
      ...size,
      ...pixels,
      start[0],
    ],
    workgroups: linearGrid(strips * rows, STRIP_LANES),
  };
}

function wholeLinesDispatch(options: Depthwise, groups: LineGroups, flipped: boolean): Dispatch {
  const { x, weight, y, geometry } = options;
  const { size, kernel, start } = geometry;
  const { bias, residual, activation: kind } = options.epilogue ?? {};
  const { rows, columns, stride } = rowLayout(y.shape);
  const activation = fusedActivation(kind);
  const mapSize = size[0] * size[1];
  const maps = (rows * columns) / mapSize;
  const variant: WholeLinesVariant = {
    ...groups,
    kernel,
    above: -start[0],
    left: -start[1],
    flipped,
    hasBias: Boolean(bias),
    hasResidual: Boolean(residual),
    activation: activation.isFused ? activation.source : null,
  };
  return {
    label: `depthwise ${flipped ? 'input gradient ' : ''}${weight.label}`,
    program: { label: `depthwise lines ${kernel.join('x')}`, code: wholeLinesSource(variant) },
    bindings: [read(x), read(weight), write(y), ...(bias ? [read(bias)] : []), ...(residual ? [read(residual)] : [])],
    uniforms: [
      maps,
      columns / mapSize,
      size[0] / groups.lines,
      mapSize,
      stride,
      rowLayout(x.shape).stride,
      activation.lower,
      activation.upper,
    ],
    workgroups: linearGrid(maps, STRIP_LANES),
  };
}
