import { convolvedLength } from '../../src/kernels/ops/window.js';
import type { ConvolutionSpec } from '../specs.js';

/** Elements of x [N, C, H, W], of the weight [O, C / groups, k, k] and of the output's gradient, and the output's side. */
export function convolutionSizes({ batch, channels, side, out, kernel, stride, padding, groups }: ConvolutionSpec) {
  const outSide = convolvedLength(side, kernel, stride, 2 * padding, 1);
  return {
    x: batch * channels * side ** 2,
    w: (out * channels * kernel ** 2) / groups,
    dy: batch * out * outSide ** 2,
    outSide,
  };
}

/** One element, in float64, of what a pass computes: y [N, O, H', W'], dx like x or dw like the weight, in row-major order. */
export function referenceElement(
  spec: ConvolutionSpec,
  operands: Readonly<Record<string, ArrayLike<number>>>,
  index: number,
): number {
  const { x = [], w = [], dy = [] } = operands;
  if (spec.pass === 'forward') return outputElement(spec, x, w, index);
  return spec.pass === 'input-gradient' ? inputGradient(spec, w, dy, index) : weightGradient(spec, x, dy, index);
}

/** Row-major position -> coordinates. */
function coordinates(index: number, ...sizes: number[]): number[] {
  const result: number[] = [];
  let rest = index;
  for (const size of sizes.reverse()) {
    result.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return [rest, ...result];
}

function outputElement(spec: ConvolutionSpec, x: ArrayLike<number>, w: ArrayLike<number>, index: number): number {
  const { channels, side, out, kernel, stride, padding, groups } = spec;
  const { outSide } = convolutionSizes(spec);
  const [n = 0, o = 0, oy = 0, ox = 0] = coordinates(index, out, outSide, outSide);
  const perGroup = channels / groups;
  const first = Math.floor(o / (out / groups)) * perGroup;
  let sum = 0;
  for (let c = 0; c < perGroup; c++) {
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++) {
        const [iy, ix] = [oy * stride - padding + ky, ox * stride - padding + kx];
        if (iy < 0 || iy >= side || ix < 0 || ix >= side) continue;
        const value = x[((n * channels + first + c) * side + iy) * side + ix] as number;
        sum += value * (w[((o * perGroup + c) * kernel + ky) * kernel + kx] as number);
      }
    }
  }
  return sum;
}

function inputGradient(spec: ConvolutionSpec, w: ArrayLike<number>, dy: ArrayLike<number>, index: number): number {
  const { channels, side, out, kernel, stride, padding, groups } = spec;
  const { outSide } = convolutionSizes(spec);
  const [n = 0, c = 0, iy = 0, ix = 0] = coordinates(index, channels, side, side);
  const [perGroup, outPerGroup] = [channels / groups, out / groups];
  const group = Math.floor(c / perGroup);
  let sum = 0;
  for (let ky = 0; ky < kernel; ky++) {
    for (let kx = 0; kx < kernel; kx++) {
      const [oy, ox] = [(iy + padding - ky) / stride, (ix + padding - kx) / stride];
      if (!Number.isInteger(oy) || !Number.isInteger(ox) || Math.min(oy, ox) < 0 || Math.max(oy, ox) >= outSide)
        continue;
      for (let o = group * outPerGroup; o < (group + 1) * outPerGroup; o++) {
        const value = dy[((n * out + o) * outSide + oy) * outSide + ox] as number;
        sum += value * (w[((o * perGroup + (c % perGroup)) * kernel + ky) * kernel + kx] as number);
      }
    }
  }
  return sum;
}

function weightGradient(spec: ConvolutionSpec, x: ArrayLike<number>, dy: ArrayLike<number>, index: number): number {
  const { batch, channels, side, out, kernel, stride, padding, groups } = spec;
  const { outSide } = convolutionSizes(spec);
  const perGroup = channels / groups;
  const [o = 0, within = 0, ky = 0, kx = 0] = coordinates(index, perGroup, kernel, kernel);
  const c = Math.floor(o / (out / groups)) * perGroup + within;
  let sum = 0;
  for (let n = 0; n < batch; n++) {
    for (let oy = 0; oy < outSide; oy++) {
      const iy = oy * stride - padding + ky;
      if (iy < 0 || iy >= side) continue;
      for (let ox = 0; ox < outSide; ox++) {
        const ix = ox * stride - padding + kx;
        if (ix < 0 || ix >= side) continue;
        const value = x[((n * channels + c) * side + iy) * side + ix] as number;
        sum += value * (dy[((n * out + o) * outSide + oy) * outSide + ox] as number);
      }
    }
  }
  return sum;
}
