import { ModelError } from './errors.js';
import type { Model } from './graph.js';
import { LIMITS } from './limits.js';
import type { Conv2dLayer, InputLayer, Layer, WeightTensor } from './network.js';
import { withChannels } from './preprocessing.js';

export interface InputChannelOptions {
  /**
   * What stands at each new channel of the first kernels: `average` the mean of the old channels, `repeat` the old channels in turn.
   * Default: `average` for one channel, `repeat` for more.
   */
  readonly method?: 'average' | 'repeat';
}

/** Layers between the input and the first convolution that treat every channel alike. */
const PASSING: readonly Layer['kind'][] = ['zeroPad', 'pad', 'maxPool', 'averagePool', 'resize'];

/** The convolutions that read the input's channels. */
function firstConvolutions({ network }: Model, input: InputLayer): Conv2dLayer[] {
  const reading = new Set([input.name]);
  const found: Conv2dLayer[] = [];
  for (const layer of network.layers) {
    if (!layer.inputs.some((name) => reading.has(name))) continue;
    if (layer.kind === 'conv2d' && layer.groups === 1) found.push(layer);
    else if (PASSING.includes(layer.kind)) reading.add(layer.name);
    else {
      const reader = layer.kind === 'conv2d' ? `a convolution of ${layer.groups} groups` : layer.kind;
      throw new ModelError(
        'UNSUPPORTED',
        `The input's channels cannot be changed: ${layer.name} (${reader}) reads them, and only convolutions without groups can be adapted.`,
      );
    }
  }
  return found;
}

/** [O, I, kh, kw] -> [O, channels, kh, kw]. */
function adaptKernel({ shape, data }: WeightTensor, channels: number, method: 'average' | 'repeat'): WeightTensor {
  const [out, before, height, width] = shape as [number, number, number, number];
  const area = height * width;
  const scale = before / channels;
  const adapted = new Float32Array(out * channels * area);
  for (let o = 0; o < out; o++) {
    for (let c = 0; c < channels; c++) {
      for (let k = 0; k < area; k++) {
        const old = (channel: number): number => data[(o * before + channel) * area + k] as number;
        let value = 0;
        if (method === 'repeat') value = old(c % before);
        else for (let channel = 0; channel < before; channel++) value += old(channel) / before;
        adapted[(o * channels + c) * area + k] = scale * value;
      }
    }
  }
  return { shape: [out, channels, height, width], data: adapted };
}

/**
 * A pretrained model with another number of input channels. Each channel of the first kernels is made from the old ones and scaled by
 * (old channels / new channels), so that activations keep their size where the channels are alike: what the later layers have learned
 * still applies.
 *
 * This is what is usual (timm and segmentation_models.pytorch do it): for grey pictures the kernels of red, green and blue are
 * added up, which answers to a grey picture as the network did to the same picture in colour, but for its normalisation of each
 * colour; for more channels they are repeated in turn. Fresh kernels for the new channels alone, the other way in use, would begin
 * by disturbing all that follows.
 *
 * Throws INVALID_ARGUMENT, and UNSUPPORTED where something else than a convolution reads the channels.
 */
export function adaptInputChannels(model: Model, channels: number, options: InputChannelOptions = {}): Model {
  if (!Number.isSafeInteger(channels) || channels < 1 || channels > LIMITS.channels) {
    throw new ModelError('INVALID_ARGUMENT', `An input has 1 to ${LIMITS.channels} channels; got ${channels}.`);
  }
  const { network } = model;
  const input = network.layers[0] as InputLayer;
  const [before, height, width] = input.shape as [number, number, number];
  if (before === channels) return model;
  const { method = channels === 1 ? 'average' : 'repeat' } = options;
  const weights = new Map(model.weights);
  for (const { weight } of firstConvolutions(model, input)) {
    weights.set(weight, adaptKernel(weights.get(weight) as WeightTensor, channels, method));
  }
  const layers = network.layers.map((layer) =>
    layer === input ? { ...input, shape: [channels, height, width] } : layer,
  );
  return { network: { ...network, layers, preprocessing: withChannels(network.preprocessing, channels) }, weights };
}
