import type { PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import type { Variant } from '../../variants.js';
import type { PatchGeometry } from '../product/operand.js';
import { product } from '../product/product.js';
import { transposeDense } from '../product/transpose.js';
import { twin, twinEpilogue } from '../product/twins.js';
import { tilesOf, type WinogradConvolution, winograd, winogradBytes } from '../winograd/winograd.js';
import { patches } from './patches.js';

/** A convolution, or the gradient of one's input, as a sum over patches of `x`. */
export interface Convolution {
  readonly label: string;
  readonly x: Tensor;
  /** Dense [O, C / groups, kh, kw], of the forward pass in either case. */
  readonly weight: Tensor;
  readonly y: Tensor;
  readonly groups: number;
  /** How taps fall on x; of the gradient where `isGradient`. */
  readonly geometry: PatchGeometry;
  /** x is the gradient of the output and y that of the input: the weights work transposed. */
  readonly isGradient: boolean;
  readonly epilogue?: WinogradConvolution['epilogue'];
}

interface Method extends Variant {
  readonly name: 'product' | 'winograd';
}
const PRODUCT: Method = { name: 'product' };
const WINOGRAD: Method = { name: 'winograd' };

/** Computes y, by one product over unrolled patches or by Winograd's way, whichever is faster. */
export function convolve(b: PlanBuilder, convolution: Convolution): void {
  const method = b.engine.variants.choose({
    key: contractKey(b, convolution),
    variants: methods(b, convolution),
    build: (plan, variant) => rebuild(plan, convolution, variant),
  });
  compute(b, convolution, method);
}

function compute(b: PlanBuilder, convolution: Convolution, method: Method): void {
  if (method.name === 'winograd') return winograd(b, minimalFiltering(convolution));
  const { label, x, weight, y, groups, geometry, isGradient, epilogue } = convolution;
  const [outChannels, groupChannels, kh = 1, kw = 1] = weight.shape as [number, number, number?, number?];
  const rowsPerGroup = outChannels / groups;
  const taps = kh * kw;
  const [rows, channels] = isGradient ? [groupChannels, rowsPerGroup] : [rowsPerGroup, groupChannels];
  product(b, {
    label,
    groups,
    rows,
    columns: rowLayout(y.shape).columns,
    depth: channels * taps,
    left: isGradient ? transposeDense(b, weight, [groups, rowsPerGroup, groupChannels, taps]) : weight,
    leftStride: channels * taps,
    right: patches(x, geometry, channels),
    result: y,
    epilogue,
  });
}

function minimalFiltering({ label, x, weight, y, geometry, isGradient, epilogue }: Convolution): WinogradConvolution {
  const [, channels] = weight.shape as [number, number];
  const [startY, startX] = geometry.start;
  // A gradient's taps run backwards: tap t meets pixel p + start - t, so tap 2 - t meets p + start - 2 + t.
  return isGradient
    ? {
        label,
        x,
        weight,
        rowStride: 9,
        columnStride: 9 * channels,
        flipped: true,
        y,
        top: 2 - startY,
        left: 2 - startX,
        epilogue,
      }
    : {
        label,
        x,
        weight,
        rowStride: 9 * channels,
        columnStride: 9,
        flipped: false,
        y,
        top: -startY,
        left: -startX,
        epilogue,
      };
}

// Nanoseconds of two cores of a software adapter, measured with the transforms of winograd.ts: docs/performance.md.
const NS = {
  /** A multiplication and an addition of a product. */
  multiplyAdd: 0.025,
  /** One channel of one tile, transformed on the way in, on the way out. */
  patch: 9,
  pixels: 6,
  kernel: 8,
} as const;
/** What Winograd's way has to gain by that estimate; less is within its error. */
const LEAST_GAIN = 0.1;

/** The ways that apply, the one that should be faster first. On GPUs the product, unless a measurement says otherwise. */
function methods(b: PlanBuilder, { x, weight, y, groups, geometry }: Convolution): Method[] {
  const isOne = (values: readonly number[]) => values.every((value) => Math.abs(value) === 1);
  const applies =
    groups === 1 &&
    geometry.kernel.every((side) => side === 3) &&
    [geometry.step, geometry.tap, geometry.divisor].every(isOne) &&
    winogradBytes(x.shape, y.shape) <= b.engine.device.limits.maxStorageBufferBindingSize;
  if (!applies) return [PRODUCT];
  if (b.engine.kernelFamily === 'workgroup') return [PRODUCT, WINOGRAD];
  const channels = x.shape[1] as number;
  const rows = y.shape[1] as number;
  const tiles = tilesOf(y.shape).count;
  const kernels = (weight.shape[0] as number) * (weight.shape[1] as number);
  const whole = kernels * 9 * rowLayout(y.shape).columns * NS.multiplyAdd;
  const filtered =
    16 * kernels * tiles * NS.multiplyAdd + tiles * (channels * NS.patch + rows * NS.pixels) + kernels * NS.kernel;
  return filtered < (1 - LEAST_GAIN) * whole ? [WINOGRAD, PRODUCT] : [PRODUCT, WINOGRAD];
}

function contractKey(b: PlanBuilder, { x, weight, y, geometry, isGradient, epilogue }: Convolution): string {
  const finish = [epilogue?.bias, epilogue?.residual, epilogue?.activation].map((part) => (part ? 1 : 0));
  const sizes = [x, weight, y].map(({ shape, dtype }) => `${shape.join('x')}:${dtype}`);
  const { step, tap, start } = geometry;
  const kind = isGradient ? 'input gradient' : 'convolution';
  return [kind, b.engine.kernelFamily, ...sizes, ...step, ...tap, ...start, ...finish].join(' ');
}

/** The same convolution on a plan of its own, with inputs for its operands. */
function rebuild(b: PlanBuilder, convolution: Convolution, method: Method): void {
  const { y, epilogue } = convolution;
  const result = b.temporary('result', y.shape, { dtype: y.dtype });
  compute(
    b,
    {
      ...convolution,
      x: twin(b, 'x', convolution.x),
      weight: twin(b, 'weight', convolution.weight),
      y: result,
      epilogue: twinEpilogue(b, epilogue),
    },
    method,
  );
  b.output('result', result);
}
