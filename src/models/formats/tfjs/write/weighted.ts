import type { PreluLayer } from '../../../layers/activation.js';
import { asConvolution, type Dense2dLayer } from '../../../layers/dense.js';
import type { ChannelNormLayer, LayerNormLayer } from '../../../layers/norms.js';
import type { BatchNormLayer, Conv2dLayer, DenseLayer, Layer, Padding, WeightTensor } from '../../../network.js';
import { samePadding } from '../../../../kernels/ops/window.js';
import { permuted } from '../../tensorflow/arrange.js';
import type { Constant } from '../../tensorflow/value.js';
import { inexpressible, type KerasValue, type KerasWriter, plain } from './kerasWriter.js';

const isNone = ({ top, bottom, left, right }: Padding): boolean => top + bottom + left + right === 0;

export function padded(w: KerasWriter, name: string, input: string, padding: Padding): string {
  if (isNone(padding)) return input;
  const { top, bottom, left, right } = padding;
  const config = {
    padding: [
      [top, bottom],
      [left, right],
    ],
    data_format: 'channels_last',
  };
  return w.add(`${name}_pad`, 'ZeroPadding2D', config, [input]);
}

export function isSame(
  padding: Padding,
  size: readonly number[],
  layer: Pick<Conv2dLayer, 'kernel' | 'stride' | 'dilation'>,
): boolean {
  const [height = 1, width = 1] = size;
  const same = samePadding([height, width], layer.kernel, layer.stride, layer.dilation);
  return (['top', 'left', 'bottom', 'right'] as const).every((side) => same[side] === padding[side]);
}

/** Keeps the order in which TF.js has the weights, without those that are null. */
const present = (weights: Readonly<Record<string, Constant | null>>): Record<string, Constant> =>
  Object.fromEntries(Object.entries(weights).filter((entry): entry is [string, Constant] => entry[1] !== null));

/** Kernel [out, in, kh, kw] -> [kh, kw, in, out]; groups of one channel each become a depthwise convolution. */
export function conv2d(w: KerasWriter, layer: Conv2dLayer, weight: WeightTensor = w.weight(layer.weight)): KerasValue {
  const { kernel, stride, dilation, groups, padding, outChannels } = layer;
  const [, channels, height, width] = w.inputShape(layer) as [number, number, number, number];
  if (Math.max(...dilation) > 1 && Math.max(...stride) > 1) inexpressible('stride and dilation at once');
  const isDepthwise = groups > 1 && groups === channels;
  if (groups > 1 && !isDepthwise) inexpressible(`groups ${groups}`);
  const same = !isNone(padding) && isSame(padding, [height, width], layer);
  const input = same ? w.input(layer) : padded(w, layer.name, w.input(layer), padding);
  const bias = w.optional(layer.bias);
  const config = {
    kernel_size: kernel,
    strides: stride,
    padding: same ? 'same' : 'valid',
    data_format: 'channels_last',
    dilation_rate: dilation,
    activation: 'linear',
    use_bias: bias !== null,
  };
  if (!isDepthwise) {
    const weights = present({ kernel: permuted(weight, [2, 3, 1, 0]), bias });
    return plain(w.add(layer.name, 'Conv2D', { filters: outChannels, ...config }, [input], weights));
  }
  const multiplier = outChannels / channels;
  const { data } = permuted(weight, [2, 3, 1, 0]);
  const depthwise = { shape: [...kernel, channels, multiplier], data };
  const weights = present({ depthwise_kernel: depthwise, bias });
  return plain(w.add(layer.name, 'DepthwiseConv2D', { depth_multiplier: multiplier, ...config }, [input], weights));
}

export function dense2d(w: KerasWriter, layer: Dense2dLayer): KerasValue {
  const { shape, data } = w.weight(layer.weight);
  return conv2d(w, asConvolution(layer), { shape: [...shape, 1, 1], data });
}

export function dense(w: KerasWriter, layer: DenseLayer): KerasValue {
  const { name, flat } = w.value(layer);
  const input = w.inputShape(layer).length === 4 ? w.add(`${layer.name}_flat`, 'Flatten', {}, [name]) : name;
  const weight = w.weight(layer.weight);
  const [outputs, inputs] = weight.shape as [number, number];
  const arranged = flat
    ? permuted({ shape: [outputs, ...flat], data: weight.data }, [2, 3, 1, 0]).data
    : permuted(weight, [1, 0]).data;
  const bias = w.optional(layer.bias);
  const weights = present({ kernel: { shape: [inputs, outputs], data: arranged }, bias });
  const config = { units: outputs, activation: 'linear', use_bias: bias !== null };
  return plain(w.add(layer.name, 'Dense', config, [input], weights));
}

/** Over channels, which are the last axis in TF.js. */
export function batchNorm(w: KerasWriter, layer: BatchNormLayer): KerasValue {
  const rank = w.shape(layer).length;
  if (rank !== 2 && rank !== 4) return inexpressible(`an input with ${rank} axes`);
  const weights = present({
    gamma: w.optional(layer.weight),
    beta: w.optional(layer.bias),
    moving_mean: w.weight(layer.runningMean),
    moving_variance: w.weight(layer.runningVariance),
  });
  const config = {
    axis: -1,
    momentum: 1 - layer.momentum,
    epsilon: layer.epsilon,
    center: layer.bias !== null,
    scale: layer.weight !== null,
  };
  return plain(w.add(layer.name, 'BatchNormalization', config, [w.input(layer)], weights));
}

/** gamma x + beta for each channel, or for all: a batch norm of values that are normal already. */
export function affine(w: KerasWriter, name: string, input: string, gamma: Float32Array, beta: Float32Array): string {
  const shape = [gamma.length];
  const weights = {
    gamma: { shape, data: gamma },
    beta: { shape, data: beta },
    moving_mean: { shape, data: new Float32Array(gamma.length) },
    moving_variance: { shape, data: new Float32Array(gamma.length).fill(1) },
  };
  const config = { axis: -1, momentum: 0.99, epsilon: 0, center: true, scale: true };
  return w.add(name, 'BatchNormalization', config, [input], weights);
}

export function layerNorm(w: KerasWriter, layer: LayerNormLayer | ChannelNormLayer): KerasValue {
  const rank = w.shape(layer).length;
  const axes = layer.kind === 'channelNorm' ? 1 : layer.axes;
  const wholeMap = layer.kind === 'layerNorm' && rank === 4 && axes === 3;
  const isLast = layer.kind === 'channelNorm' ? rank === 2 || rank === 4 : rank !== 4;
  if (!wholeMap && !isLast) return inexpressible(`axes ${axes} of an input with ${rank}`);
  const arranged = (name: string | null): Constant | null => {
    const weight = w.optional(name);
    return weight && wholeMap ? permuted(weight, [1, 2, 0]) : weight;
  };
  const weights = present({ gamma: arranged(layer.weight), beta: arranged(layer.bias) });
  const axis = axes === 1 ? -1 : Array.from({ length: axes }, (_, index) => rank - axes + index);
  const config = { axis, epsilon: layer.epsilon, center: layer.bias !== null, scale: layer.weight !== null };
  return plain(w.add(layer.name, 'LayerNormalization', config, [w.input(layer)], weights));
}

/**
 * The inputs of a merge, each once: TF.js counts readers by layer and frees a value too early where one layer reads it twice (4.22).
 * Copies are batch norms that change nothing.
 */
export function distinctInputs(w: KerasWriter, layer: Layer): string[] {
  const seen = new Set<string>();
  return layer.inputs.map((_, index) => {
    const name = w.input(layer, index);
    if (!seen.has(name)) {
      seen.add(name);
      return name;
    }
    const shape = w.inputShape(layer, index);
    if (shape.length !== 2 && shape.length !== 4) return inexpressible('one input twice');
    const channels = shape[1] as number;
    const one = new Float32Array(channels).fill(1);
    return affine(w, `${layer.name}_copy${index}`, name, one, new Float32Array(channels));
  });
}

/** One slope for all is one for each channel. */
export function prelu(w: KerasWriter, layer: PreluLayer): KerasValue {
  const [, channels = 1, ...sides] = w.shape(layer);
  const { data } = w.weight(layer.weight);
  const slopes = data.length === channels ? data : new Float32Array(channels).fill(data[0] as number);
  const alpha = { shape: [...sides.map(() => 1), channels], data: slopes };
  const config = { shared_axes: sides.length > 0 ? sides.map((_, index) => index + 1) : null };
  return plain(w.add(layer.name, 'PReLU', config, [w.input(layer)], { alpha }));
}
