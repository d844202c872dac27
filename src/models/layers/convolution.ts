import { convolvedLength } from '../../kernels/ops/window.js';
import type { LayerBase, Padding } from '../network.js';
import { asMap, define, fail, ONE_INPUT, product } from './definition.js';
import { channels, orNull, padding, pair, side, weightName } from './fields.js';

export interface Conv2dLayer extends LayerBase {
  readonly kind: 'conv2d';
  readonly outChannels: number;
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  readonly padding: Padding;
  readonly dilation: readonly [height: number, width: number];
  readonly groups: number;
  /** Names in the weights: `[outChannels, inChannels / groups, kh, kw]` and `[outChannels]`. */
  readonly weight: string;
  readonly bias: string | null;
}

export const conv2d = define<Conv2dLayer>({
  kind: 'conv2d',
  inputs: ONE_INPUT,
  fields: {
    outChannels: channels,
    kernel: pair(side),
    stride: pair(side),
    padding,
    dilation: pair(side),
    groups: channels,
    weight: weightName('weight'),
    bias: orNull(weightName('bias')),
  },
  shape(layer, [input]) {
    const [n, inChannels, height, width] = asMap(layer, input);
    const { kernel, stride, padding: around, dilation, groups, outChannels } = layer;
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      fail(layer, `${groups} groups must divide its ${inChannels} input and ${outChannels} output channels.`);
    }
    return [
      n,
      outChannels,
      convolvedLength(height, kernel[0], stride[0], around.top + around.bottom, dilation[0]),
      convolvedLength(width, kernel[1], stride[1], around.left + around.right, dilation[1]),
    ];
  },
  weightShapes(layer, [input]) {
    const [, inChannels] = asMap(layer, input);
    return { weight: [layer.outChannels, inChannels / layer.groups, ...layer.kernel], bias: [layer.outChannels] };
  },
  multiplyAdds(layer, [input], output) {
    const [, inChannels] = asMap(layer, input);
    return (product(output) * inChannels * layer.kernel[0] * layer.kernel[1]) / layer.groups;
  },
});
