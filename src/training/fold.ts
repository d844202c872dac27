import type { BatchNormLayer, Conv2dLayer, Weights, WeightTensor } from '../models/network.js';
import { TrainingError } from './errors.js';

/** A convolution with the frozen batch norm, or the scale of its channels, behind it folded in. */
export interface FoldedConvolution {
  readonly weight: WeightTensor;
  readonly bias: WeightTensor;
}

export function weightOf(weights: Weights, name: string): WeightTensor {
  const weight = weights.get(name);
  if (!weight) throw new TrainingError('INVALID_NETWORK', `The network's weights have no tensor ${name}.`);
  return weight;
}

/** A convolution's kernel and bias with each output channel multiplied by `scale`. */
export function foldScale(convolution: FoldedConvolution, scale: WeightTensor): FoldedConvolution {
  const { weight, bias } = convolution;
  const perChannel = weight.data.length / bias.data.length;
  const factor = (channel: number) => scale.data[channel] as number;
  return {
    weight: { shape: weight.shape, data: weight.data.map((value, i) => value * factor(Math.floor(i / perChannel))) },
    bias: { shape: bias.shape, data: bias.data.map((value, channel) => value * factor(channel)) },
  };
}

/** A convolution's own kernel and bias, zeros where it has none. */
export function unfolded({ weight, bias, outChannels }: Conv2dLayer, weights: Weights): FoldedConvolution {
  const none = () => ({ shape: [outChannels], data: new Float32Array(outChannels) });
  return { weight: weightOf(weights, weight), bias: bias === null ? none() : weightOf(weights, bias) };
}

/**
 * Folds y = gamma (conv(x) - mean) / sqrt(variance + epsilon) + beta into the convolution: each output channel's kernel
 * is multiplied by gamma / sqrt(variance + epsilon) (Ioffe and Szegedy 2015, section 3.1, with fixed statistics).
 */
export function foldBatchNorm(convolution: Conv2dLayer, norm: BatchNormLayer, weights: Weights): FoldedConvolution {
  const kernel = weightOf(weights, convolution.weight);
  const channels = convolution.outChannels;
  const perChannel = kernel.data.length / channels;
  const mean = weightOf(weights, norm.runningMean).data;
  const variance = weightOf(weights, norm.runningVariance).data;
  const gamma = norm.weight ? weightOf(weights, norm.weight).data : null;
  const beta = norm.bias ? weightOf(weights, norm.bias).data : null;
  const bias = convolution.bias ? weightOf(weights, convolution.bias).data : null;
  const folded = new Float32Array(kernel.data.length);
  const offset = new Float32Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const factor = (gamma?.[channel] ?? 1) / Math.sqrt((variance[channel] as number) + norm.epsilon);
    offset[channel] = ((bias?.[channel] ?? 0) - (mean[channel] as number)) * factor + (beta?.[channel] ?? 0);
    for (let i = channel * perChannel; i < (channel + 1) * perChannel; i++) {
      folded[i] = (kernel.data[i] as number) * factor;
    }
  }
  return { weight: { shape: kernel.shape, data: folded }, bias: { shape: [channels], data: offset } };
}
