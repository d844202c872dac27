import { elementCount } from '../../../kernels/tensor.js';
import { asType, type Converter, type Converters, reshaped } from './converter.js';
import type { Operation } from './node.js';
import type { Constant } from './value.js';
import { asPlane, pairOf, paddingOf, type Window, windowOf } from './window.js';

/** Adds a constant as a weight of the given shape (which must have as many values). */
export function weight(op: Operation, constant: Constant, shape: readonly number[]): string {
  const elements = elementCount(shape);
  if (constant.data.length !== elements || elements === 0) {
    op.fail(`${constant.name} is [${constant.shape.join(', ')}]; expected [${shape.join(', ')}].`);
  }
  return op.builder.weight(constant.name, shape, Float32Array.from(constant.data));
}

type Triple = readonly [number, number, number];
const triple = (list: readonly number[]): Triple => [list[0] as number, list[1] as number, list[2] as number];

interface Kernels {
  readonly constant: Constant;
  readonly rank: number;
  readonly window: Window;
  readonly groups: number;
}

/** Weight and window of a convolution of 1 to 3 dimensions; null after telling of what is not known. */
function kernelsOf(op: Operation): Kernels | null {
  if (op.isOpen(1) || op.isOpen(2)) return null;
  const constant = op.required(1);
  const sizes = op.shape(op.layer()).slice(2);
  const rank = sizes.length;
  if (constant.shape.length !== rank + 2)
    op.fail(`its weight [${constant.shape.join(', ')}] is not of its input's rank.`);
  if (rank < 1 || rank > 3) return op.problem(`${rank} spatial dimensions; known are 1 to 3`);
  const window = windowOf(op, sizes, constant.shape.slice(2));
  if ([...window.before, ...window.after].some((size) => size < 0)) return op.problem('negative pads');
  return { constant, rank, window, groups: op.int('group', 1) };
}

/** [N, C, L] as [N, C, 1, L]. */
function asMap(op: Operation, x: string): string {
  const [n, c, length] = op.shape(x) as [number, number, number];
  return reshaped(op, 'map', x, [n, c, 1, length]);
}

/** [N, C, 1, L] as [N, C, L]. */
function asLine(op: Operation, x: string): string {
  const [n, c, , length] = op.shape(x) as [number, number, number, number];
  return reshaped(op, 'line', x, [n, c, length]);
}

/** A convolution of `x` with `kernels` as a weight, and a bias. */
function convolved(op: Operation, x: string, kernels: Kernels, bias: Constant | undefined): string {
  const { constant, rank, groups } = kernels;
  const [outChannels = 0, perGroup = 0] = constant.shape;
  const named = bias ? weight(op, bias, [outChannels]) : null;
  const common = { outChannels, groups, bias: named };
  if (rank === 3) {
    const { kernel, stride, dilation, before, after } = kernels.window;
    return op.add({
      kind: 'conv3d',
      inputs: [x],
      ...common,
      kernel: triple(kernel),
      stride: triple(stride),
      dilation: triple(dilation),
      before: triple(before),
      after: triple(after),
      weight: weight(op, constant, constant.shape),
    });
  }
  const window = rank === 1 ? asPlane(kernels.window) : kernels.window;
  const layer = op.add({
    kind: 'conv2d',
    inputs: [rank === 1 ? asMap(op, x) : x],
    ...common,
    kernel: pairOf(window.kernel),
    stride: pairOf(window.stride),
    padding: paddingOf(window),
    dilation: pairOf(window.dilation),
    weight: weight(op, constant, [outChannels, perGroup, ...window.kernel]),
  });
  return rank === 1 ? asLine(op, layer) : layer;
}

const conv: Converter = (op) => {
  const kernels = kernelsOf(op);
  return kernels && op.value(convolved(op, op.layer(), kernels, op.constant(2)));
};

/** What is cut off and added so that the result has the shape that the file asks for. */
function transposedWindow(
  op: Operation,
  { window, rank }: Kernels,
): { window: Window; outputPadding: number[] } | null {
  const outputPadding = op.spatial('output_padding', rank, 0);
  const sizes = op.shape(op.layer()).slice(2);
  const wanted = op.ints('output_shape')?.slice(-rank) ?? null;
  const auto = op.text('auto_pad', 'NOTSET');
  const isSame = auto.startsWith('SAME');
  if (!wanted && !isSame) return { window, outputPadding };
  const total = sizes.map((size, i) => {
    const [stride, dilation, kernel] = [window.stride[i], window.dilation[i], window.kernel[i]] as [
      number,
      number,
      number,
    ];
    const whole = stride * (size - 1) + (outputPadding[i] as number) + (kernel - 1) * dilation + 1;
    return whole - (wanted ? (wanted[i] as number) : size * stride);
  });
  if (total.some((size) => size < 0)) return op.problem('an output_shape larger than what the kernel reaches');
  const smaller = total.map((size) => Math.floor(size / 2));
  const larger = total.map((size, i) => size - (smaller[i] as number));
  const [before, after] = auto === 'SAME_UPPER' ? [smaller, larger] : [larger, smaller];
  return { window: { ...window, before, after }, outputPadding };
}

const convTranspose: Converter = (op) => {
  const kernels = kernelsOf(op);
  const fitted = kernels && transposedWindow(op, kernels);
  if (!kernels || !fitted) return null;
  const { constant, rank, groups } = kernels;
  const [inChannels = 0, perGroup = 0] = constant.shape;
  const outChannels = perGroup * groups;
  const bias = op.constant(2);
  const common = { outChannels, groups, bias: bias ? weight(op, bias, [outChannels]) : null };
  const { outputPadding } = fitted;
  if (fitted.window.stride.some((stride, i) => (outputPadding[i] as number) >= stride)) {
    return op.problem(`output_padding = [${outputPadding.join(', ')}], not below the strides`);
  }
  if (rank === 3) {
    const { kernel, stride, dilation, before, after } = fitted.window;
    const layer = op.add({
      kind: 'convTranspose3d',
      inputs: [op.layer()],
      ...common,
      kernel: triple(kernel),
      stride: triple(stride),
      dilation: triple(dilation),
      before: triple(before),
      after: triple(after),
      outputPadding: triple(outputPadding),
      weight: weight(op, constant, constant.shape),
    });
    return op.value(layer);
  }
  const window = rank === 1 ? asPlane(fitted.window) : fitted.window;
  const layer = op.add({
    kind: 'convTranspose2d',
    inputs: [rank === 1 ? asMap(op, op.layer()) : op.layer()],
    ...common,
    kernel: pairOf(window.kernel),
    stride: pairOf(window.stride),
    padding: paddingOf(window),
    dilation: pairOf(window.dilation),
    outputPadding: rank === 1 ? [0, outputPadding[0] as number] : pairOf(outputPadding),
    weight: weight(op, constant, [inChannels, perGroup, ...window.kernel]),
  });
  return op.value(rank === 1 ? asLine(op, layer) : layer);
};

/** Minus the zero point, or zero points: one for all, or one for each of `axis`. */
export function centred(op: Operation, constant: Constant, zero: Constant | undefined, axis: number): Constant {
  if (!zero) return constant;
  const size = constant.shape[axis] ?? 1;
  const inner = constant.shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  if (zero.data.length !== 1 && zero.data.length !== size) op.fail(`${zero.name} must have 1 or ${size} values.`);
  const at = (index: number) => zero.data[zero.data.length === 1 ? 0 : Math.floor(index / inner) % size] as number;
  return { ...constant, data: Float32Array.from(constant.data, (value, index) => value - at(index)) };
}

/** Convolution of integers: the zero points go first, the sums are whole. */
const convInteger: Converter = (op) => {
  if (op.isOpen(1) || op.isOpen(2) || op.isOpen(3)) return null;
  const zero = op.constant(2)?.data[0] ?? 0;
  const x =
    zero === 0
      ? op.layer()
      : op.step('centred', { kind: 'binary', operator: 'sub', inputs: [op.layer(), op.numbers('zero', [zero])] });
  return op.value(integerConvolution(op, x, centred(op, op.required(1), op.constant(3), 0), undefined), 'int32');
};

/** The sums of a convolution of integers, exact below 2^24. */
export function integerConvolution(op: Operation, x: string, constant: Constant, bias: Constant | undefined): string {
  const sizes = op.shape(x).slice(2);
  const rank = sizes.length;
  if (rank < 1 || rank > 2 || constant.shape.length !== rank + 2) op.fail('it is no convolution of 1 or 2 dimensions.');
  const window = windowOf(op, sizes, constant.shape.slice(2));
  const sums = convolved(op, x, { constant, rank, window, groups: op.int('group', 1) }, bias);
  return asType(op, sums, 'int32');
}

export const CONVOLUTIONS: Converters = { Conv: conv, ConvTranspose: convTranspose, ConvInteger: convInteger };
