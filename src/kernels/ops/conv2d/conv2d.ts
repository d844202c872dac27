import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { type Activation, activation, activationGradient } from '../activation/activation.js';
import { splitActivation } from '../activation/fused.js';
import { depthwise, depthwiseInputGradient, depthwiseWeightGradient } from '../depthwise/depthwise.js';
import { denseProduct } from '../product/denseProduct.js';
import { gradientGeometry, type PatchGeometry } from '../product/operand.js';
import type { RightOperand } from '../product/product.js';
import { activationAndBiasGradient, sumRows } from '../sumRows/sumRows.js';
import { convolvedLength, type Pair, type WindowPadding } from '../window.js';
import { convolve } from './convolve.js';
import { isPointwise } from './patches.js';
import { hasPhases, stridedInputGradient } from './stridedGradient.js';

export interface Conv2dAttributes {
  readonly stride: Pair;
  readonly padding: WindowPadding;
  readonly dilation: Pair;
  readonly groups: number;
}

export interface Conv2dEpilogue {
  /** Dense [O]. */
  readonly bias?: Tensor | null;
  /** Added before the activation; the shape of the output. */
  readonly residual?: Tensor | null;
  readonly activation?: Activation | null;
}

/**
 * Two-dimensional convolution (cross-correlation, as everywhere in deep learning) of x [N, C, H, W] with a dense weight
 * [O, C / groups, kh, kw], then bias, residual and activation: [N, O, H', W']. A weight [O, C / groups] is that of a 1x1 kernel.
 *
 * Computed as one matrix product over the whole batch with the patches unrolled on the fly, never in memory (implicit GEMM;
 * Chetlur et al. 2014, "cuDNN"); with one input channel per group by kernels of its own.
 * Throws `INVALID_SHAPE` where the shapes do not fit.
 */
export function conv2d(
  b: PlanBuilder,
  x: Tensor,
  weight: Tensor,
  attributes: Conv2dAttributes,
  epilogue: Conv2dEpilogue = {},
): Tensor {
  const shape = outputShape(x, weight, attributes);
  const y = b.temporary(`conv2d ${weight.label}`, shape);
  const { bias, residual } = epilogue;
  checkEpilogue(y, epilogue);
  const inputs = [x, weight, bias, residual].filter((tensor) => tensor !== null && tensor !== undefined);
  const { fused, separate } = splitActivation(epilogue.activation, inputs);
  const [, groupChannels, kh = 1, kw = 1] = weight.shape;
  const { groups } = attributes;
  const geometry = forwardGeometry(x, y, [kh, kw], attributes);
  if (groupChannels === 1) {
    depthwise(b, { x, weight, y, geometry, epilogue: { bias, residual, activation: fused } });
  } else {
    const epilogueHere = { bias, residual, activation: fused };
    convolve(b, { label: y.label, x, weight, y, groups, geometry, isGradient: false, epilogue: epilogueHere });
  }
  b.differentiable(inputs, y, (gradient, needs) => {
    const needsBias = bias ? needs[inputs.indexOf(bias)] : false;
    const both = fused && needsBias ? activationAndBiasGradient(b, y, gradient, fused) : null;
    const dy = both?.dx ?? (fused ? activationGradient(b, y, gradient, fused) : gradient);
    return inputs.map((input, index) => {
      if (!needs[index]) return null;
      if (input === residual) return dy;
      if (input === bias) return both?.dBias ?? sumRows(b, dy);
      const operands = { x, weight, dy, geometry, groups };
      return input === weight ? convolutionWeightGradient(b, operands) : convolutionInputGradient(b, operands);
    });
  });
  return separate ? activation(b, y, separate) : y;
}

const show = (tensor: Tensor): string => `${tensor.label} [${tensor.shape.join(', ')}]`;

function outputShape(x: Tensor, weight: Tensor, attributes: Conv2dAttributes): number[] {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const [o, groupChannels, kh = 1, kw = 1] = weight.shape as [number, number, number?, number?];
  const { groups, stride, padding, dilation } = attributes;
  if (
    x.shape.length !== 4 ||
    ![2, 4].includes(weight.shape.length) ||
    groupChannels * groups !== c ||
    o % groups !== 0
  ) {
    throw new EngineError(
      'INVALID_SHAPE',
      `A convolution in ${groups} group(s) takes x [N, C, H, W] and a weight [O, C / groups, kh, kw] with O a multiple of the groups; got ${show(x)} and ${show(weight)}.`,
    );
  }
  const height = convolvedLength(h, kh, stride[0], padding.top + padding.bottom, dilation[0]);
  const width = convolvedLength(w, kw, stride[1], padding.left + padding.right, dilation[1]);
  if (height < 1 || width < 1) {
    throw new EngineError(
      'INVALID_SHAPE',
      `The kernel of ${show(weight)} is larger than the padded picture ${show(x)}.`,
    );
  }
  return [n, o, height, width];
}

function checkEpilogue(y: Tensor, { bias, residual }: Conv2dEpilogue): void {
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== y.shape[1])) {
    throw new EngineError('INVALID_SHAPE', `${show(y)} takes a bias [${y.shape[1]}]; got ${show(bias)}.`);
  }
  if (residual && residual.shape.join() !== y.shape.join()) {
    throw new EngineError(
      'INVALID_SHAPE',
      `${show(y)} cannot be added to ${show(residual)}: the shapes must be equal.`,
    );
  }
}

const spatial = (tensor: Tensor): Pair => [tensor.shape[2] as number, tensor.shape[3] as number];

/** How the taps of a convolution of x to y fall. */
export function forwardGeometry(
  x: Tensor,
  y: Tensor,
  kernel: readonly number[],
  attributes: Conv2dAttributes,
): PatchGeometry {
  const { padding, stride, dilation } = attributes;
  return {
    size: spatial(x),
    kernel: [kernel[0] as number, kernel[1] as number],
    pixels: spatial(y),
    step: stride,
    tap: dilation,
    start: [-padding.top, -padding.left],
    divisor: [1, 1],
  };
}

export interface ConvolutionGradient {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly dy: Tensor;
  /** Of the forward pass. */
  readonly geometry: PatchGeometry;
  readonly groups: number;
}

/** dx of any convolution; of `x` only the shape counts. */
export function convolutionInputGradient(b: PlanBuilder, operands: ConvolutionGradient): Tensor {
  if (operands.weight.shape[1] === 1) return depthwiseInputGradient(b, operands);
  return hasPhases(operands.geometry) ? stridedInputGradient(b, operands) : inputGradient(b, operands);
}

/** dw of any convolution. */
export const convolutionWeightGradient = (b: PlanBuilder, operands: ConvolutionGradient): Tensor =>
  operands.weight.shape[1] === 1 ? depthwiseWeightGradient(b, operands) : weightGradient(b, operands);

/** dx: the transposed weights times the patches of dy. */
function inputGradient(b: PlanBuilder, { x, weight, dy, geometry, groups }: ConvolutionGradient): Tensor {
  const dx = b.temporary(`d ${x.label}`, x.shape);
  convolve(b, {
    label: `conv2d input gradient ${weight.label}`,
    x: dy,
    weight,
    y: dx,
    groups,
    geometry: gradientGeometry(geometry),
    isGradient: true,
  });
  return dx;
}

/** dw: dy times the transposed patches of x, a sum over all pixels of the batch. */
function weightGradient(b: PlanBuilder, { x, weight, dy, geometry, groups }: ConvolutionGradient): Tensor {
  const [outChannels, groupChannels, kh = 1, kw = 1] = weight.shape as [number, number, number?, number?];
  const { stride } = rowLayout(x.shape);
  const groupOffset = groupChannels * stride;
  const right: RightOperand = isPointwise(geometry)
    ? { tensor: x, kind: 'strided', groupOffset, stride: 1, columnStride: stride }
    : { tensor: x, kind: 'patchColumns', groupOffset, stride, geometry };
  return denseProduct(b, {
    label: `d ${weight.label}`,
    shape: weight.shape,
    groups,
    rows: outChannels / groups,
    columns: groupChannels * kh * kw,
    depth: rowLayout(dy.shape).columns,
    left: dy,
    leftStride: rowLayout(dy.shape).stride,
    right,
  });
}
