import { elementCount } from '../../kernels/tensor.js';
import { convolvedLength } from '../../kernels/ops/window.js';
import { LIMITS } from '../limits.js';
import type { LayerBase, Padding } from '../network.js';
import {
  convTranspose2d as convTranspose2dOp,
  transposedLength,
} from '../../kernels/ops/convTranspose2d/convTranspose2d.js';
import { asMap, checkGroups, define, fail, ONE_INPUT } from './definition.js';
import { channels, integer, orNull, padding, pair, side, weightName } from './fields.js';
import { inRows } from './layout.js';

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
    const { kernel, stride, padding: around, dilation, outChannels } = layer;
    checkGroups(layer, inChannels);
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
    return (elementCount(output) * inChannels * layer.kernel[0] * layer.kernel[1]) / layer.groups;
  },
});

/** Transposed convolution: the gradient of a convolution as a layer. */
export interface ConvTranspose2dLayer extends LayerBase {
  readonly kind: 'convTranspose2d';
  readonly outChannels: number;
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  /** Taken away from the result. */
  readonly padding: Padding;
  readonly dilation: readonly [height: number, width: number];
  /** Added at the bottom and the right; below the stride. */
  readonly outputPadding: readonly [height: number, width: number];
  readonly groups: number;
  /** Names in the weights: `[inChannels, outChannels / groups, kh, kw]` and `[outChannels]`. */
  readonly weight: string;
  readonly bias: string | null;
}

export const convTranspose2d = define<ConvTranspose2dLayer>({
  kind: 'convTranspose2d',
  inputs: ONE_INPUT,
  fields: {
    outChannels: channels,
    kernel: pair(side),
    stride: pair(side),
    padding,
    dilation: pair(side),
    outputPadding: pair(integer(0, LIMITS.side)),
    groups: channels,
    weight: weightName('weight'),
    bias: orNull(weightName('bias')),
  },
  shape(layer, [input]) {
    const [n, inChannels, height, width] = asMap(layer, input);
    const { kernel, stride, padding: around, dilation, outChannels, outputPadding } = layer;
    checkGroups(layer, inChannels);
    if (outputPadding[0] >= stride[0] || outputPadding[1] >= stride[1]) {
      fail(layer, `outputPadding ${outputPadding.join(', ')} must be below its stride ${stride.join(', ')}.`);
    }
    const vertical = around.top + around.bottom;
    const horizontal = around.left + around.right;
    return [
      n,
      outChannels,
      transposedLength(height, kernel[0], stride[0], vertical, dilation[0], outputPadding[0]),
      transposedLength(width, kernel[1], stride[1], horizontal, dilation[1], outputPadding[1]),
    ];
  },
  weightShapes(layer, [input]) {
    const [, inChannels] = asMap(layer, input);
    return { weight: [inChannels, layer.outChannels / layer.groups, ...layer.kernel], bias: [layer.outChannels] };
  },
  multiplyAdds(layer, [input]) {
    return (elementCount(input) * layer.outChannels * layer.kernel[0] * layer.kernel[1]) / layer.groups;
  },
  build(context, layer, [x]) {
    const bias = layer.bias === null ? null : context.parameter(layer.bias);
    return convTranspose2dOp(context.b, inRows(context.b, x), context.kernel(layer.weight), layer, bias);
  },
});
