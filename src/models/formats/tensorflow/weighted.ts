import { samePadding } from '../../../kernels/ops/window.js';
import { NO_PADDING } from '../../graph.js';
import type { Padding } from '../../network.js';
import { denseToOutIn, depthwiseToOihw, flatToChw, kernelToOihw, permuted } from './arrange.js';
import { binary } from './elementwise.js';
import { asMaps, asSame, type Constant, notMapped, type Target, type Value } from './value.js';

export type Pair = readonly [height: number, width: number];

/** How windows lie on a map; TensorFlow's rules or explicit padding. */
export interface Window {
  readonly strides: Pair;
  readonly dilation: Pair;
  readonly padding: 'same' | 'valid' | Padding;
}

export function windowPadding(size: Pair, kernel: Pair, { strides, dilation, padding }: Window): Padding {
  if (typeof padding !== 'string') return padding;
  return padding === 'same' ? samePadding(size, kernel, strides, dilation) : NO_PADDING;
}

/** The bias by the name that the file gives it; null where there is none. */
function addBias(target: Target, bias: Constant | null, name = 'bias'): string | null {
  return bias === null ? null : target.weight(name, [bias.data.length], bias.data);
}

function convolution(
  target: Target,
  input: Value,
  weights: { readonly kernel: Constant; readonly kernelName: string; readonly bias: Constant | null },
  window: Window,
  groups: number,
  name = target.name,
): Value {
  const [, height, width, channels] = target.shape(input) as [number, number, number, number];
  const { kernel, kernelName, bias } = weights;
  const [outChannels, inChannels, kernelHeight, kernelWidth] = kernel.shape as [number, number, number, number];
  if (inChannels * groups !== channels) notMapped(`a kernel for ${inChannels * groups} channels on ${channels}`);
  const size = [kernelHeight, kernelWidth] as const;
  const layer = target.builder.add({
    name,
    inputs: [input.layer],
    kind: 'conv2d',
    outChannels,
    kernel: size,
    stride: window.strides,
    padding: windowPadding([height, width], size, window),
    dilation: window.dilation,
    groups,
    weight: target.weight(kernelName, kernel.shape, kernel.data),
    bias: addBias(target, bias),
  });
  return { layer, order: 'maps' };
}

/** Kernel [kh, kw, in / groups, out]. */
export function conv2d(target: Target, value: Value, kernel: Constant, bias: Constant | null, window: Window): Value {
  const input = asMaps(target, value);
  const channels = target.shape(input)[3] as number;
  const perGroup = kernel.shape[2] as number;
  const groups = Number.isInteger(channels / perGroup) ? channels / perGroup : 1;
  return convolution(target, input, { kernel: kernelToOihw(kernel), kernelName: 'kernel', bias }, window, groups);
}

/** Kernel [kh, kw, channels, multiplier]. */
export function depthwiseConv2d(
  target: Target,
  value: Value,
  kernel: Constant,
  bias: Constant | null,
  window: Window,
  name = target.name,
): Value {
  const input = asMaps(target, value);
  const weights = { kernel: depthwiseToOihw(kernel), kernelName: 'depthwise_kernel', bias };
  return convolution(target, input, weights, window, target.shape(input)[3] as number, name);
}

const ONCE: Window = { strides: [1, 1], dilation: [1, 1], padding: 'valid' };

/** A depthwise convolution without bias, and a pointwise one behind it: kernel [1, 1, channels, out]. */
export function separableConv2d(
  target: Target,
  value: Value,
  depthwise: Constant,
  pointwise: Constant,
  bias: Constant | null,
  window: Window,
): Value {
  const spatial = depthwiseConv2d(target, value, depthwise, null, window, `${target.name}_depthwise`);
  const weights = { kernel: kernelToOihw(pointwise), kernelName: 'pointwise_kernel', bias };
  return convolution(target, spatial, weights, ONCE, 1);
}

/** Kernel [in, out], applied to the last axis. On maps it is a 1x1 convolution. */
export function dense(target: Target, value: Value, kernel: Constant, bias: Constant | null): Value {
  const shape = target.shape(value);
  const [inputs, outputs] = kernel.shape as [number, number];
  if (shape.at(-1) !== inputs) notMapped(`a kernel for ${inputs} features on ${shape.at(-1)}`);
  if (shape.length === 4) {
    const pointwise = kernelToOihw({ shape: [1, 1, inputs, outputs], data: kernel.data });
    return convolution(target, asMaps(target, value), { kernel: pointwise, kernelName: 'kernel', bias }, ONCE, 1);
  }
  if (shape.length === 2) {
    const map = typeof value.order === 'string' ? null : value.order.flat;
    const arranged = denseToOutIn(kernel, map);
    const weight = target.weight('kernel', arranged.shape, arranged.data);
    const layer = target.builder.add({
      name: target.name,
      inputs: [value.layer],
      kind: 'dense',
      outFeatures: outputs,
      weight,
      bias: addBias(target, bias),
    });
    return { layer, order: 'same' };
  }
  const matrix = target.builder.add({
    name: `${target.name}_kernel`,
    inputs: [],
    kind: 'parameter',
    shape: [inputs, outputs],
    weight: target.weight('kernel', [inputs, outputs], kernel.data),
    initial: 0,
  });
  const rows = asSame(target, value);
  const layer = target.builder.add({ name: target.name, inputs: [rows.layer, matrix], kind: 'matmul' });
  return bias === null ? { layer, order: 'same' } : binary(target, 'add', { layer, order: 'same' }, bias);
}

export interface Affine {
  readonly scale: Constant | null;
  readonly offset: Constant | null;
  readonly epsilon: number;
}

/** Values for each channel in the order in which `value` has its features. */
const inOrder = ({ order }: Value, { data }: Constant): Float32Array =>
  typeof order === 'string' ? data : flatToChw(data, order.flat);

/** Over the last axis. TensorFlow: moving = m moving + (1 - m) batch; `momentum` here is PyTorch's, 1 - m. */
export function batchNorm(
  target: Target,
  value: Value,
  { scale, offset, epsilon }: Affine,
  mean: Constant,
  variance: Constant,
  momentum: number,
): Value {
  const rank = target.shape(value).length;
  if (rank !== 2 && rank !== 4) notMapped(`batch normalisation of a value with ${rank} axes`);
  const input = rank === 4 ? asMaps(target, value) : value;
  const add = (name: string, constant: Constant) =>
    target.weight(name, [constant.data.length], inOrder(input, constant));
  const layer = target.builder.add({
    name: target.name,
    inputs: [input.layer],
    kind: 'batchNorm',
    epsilon,
    momentum,
    weight: scale && add('gamma', scale),
    bias: offset && add('beta', offset),
    runningMean: add('moving_mean', mean),
    runningVariance: add('moving_variance', variance),
  });
  return { layer, order: input.order };
}

/** Layer normalisation over the last `axes` axes: channels of maps, features, or all but the batch. */
export function layerNorm(target: Target, value: Value, axes: number, { scale, offset, epsilon }: Affine): Value {
  const rank = target.shape(value).length;
  const add = (name: string, constant: Constant | null) =>
    constant && target.weight(name, constant.shape, constant.data);
  if (rank === 4 && axes === 1) {
    const input = asMaps(target, value);
    const weights = { weight: add('gamma', scale), bias: add('beta', offset) };
    const base = { name: target.name, inputs: [input.layer], epsilon };
    return { layer: target.builder.add({ ...base, ...weights, kind: 'channelNorm' }), order: 'maps' };
  }
  if (rank === 4 && axes === 3 && value.order === 'maps') {
    const turned = (constant: Constant | null) => constant && permuted(constant, [2, 0, 1]);
    const weights = { weight: add('gamma', turned(scale)), bias: add('beta', turned(offset)) };
    const base = { name: target.name, inputs: [value.layer], epsilon };
    return { layer: target.builder.add({ ...base, ...weights, kind: 'layerNorm', axes }), order: 'maps' };
  }
  const input = asSame(target, value);
  const weights = { weight: add('gamma', scale), bias: add('beta', offset) };
  const base = { name: target.name, inputs: [input.layer], epsilon };
  return { layer: target.builder.add({ ...base, ...weights, kind: 'layerNorm', axes }), order: 'same' };
}

/** Over maps; scale and offset are [C]. */
export function groupNorm(target: Target, value: Value, groups: number, { scale, offset, epsilon }: Affine): Value {
  const input = asMaps(target, value);
  const layer = target.builder.add({
    name: target.name,
    inputs: [input.layer],
    kind: 'groupNorm',
    groups,
    epsilon,
    weight: scale && target.weight('gamma', scale.shape, scale.data),
    bias: offset && target.weight('beta', offset.shape, offset.data),
  });
  return { layer, order: 'maps' };
}

/** x where x > 0, else alpha x; `alpha` has the shape of the value without its batch, 1 where slopes are shared. */
export function prelu(target: Target, value: Value, alpha: Constant): Value {
  const shape = target.shape(value);
  const own = [...Array(Math.max(0, shape.length - 1 - alpha.shape.length)).fill(1), ...alpha.shape];
  const shared = own.slice(0, -1).every((size) => size === 1);
  const channels = own.at(-1) === 1 || own.at(-1) === shape.at(-1);
  if (shared && channels && (shape.length === 2 || shape.length === 4)) {
    const input = shape.length === 4 ? asMaps(target, value) : value;
    const slopes = alpha.data.length === 1 ? alpha.data : inOrder(input, alpha);
    const weight = target.weight('alpha', [slopes.length], slopes);
    const base = { name: target.name, inputs: [input.layer] };
    return {
      layer: target.builder.add({ ...base, kind: 'prelu', slopes: slopes.length, weight }),
      order: input.order,
    };
  }
  // A slope for each pixel: max(x, 0) + alpha min(x, 0).
  const part = (suffix: string, min: number | null, max: number | null): Value => ({
    layer: target.builder.add({
      name: `${target.name}_${suffix}`,
      inputs: [value.layer],
      kind: 'activation',
      activation: { kind: 'clip', min, max },
    }),
    order: value.order,
  });
  const negative = binary(target, 'mul', part('negative', null, 0), alpha, `${target.name}_slope`);
  return binary(target, 'add', part('positive', 0, null), negative);
}
