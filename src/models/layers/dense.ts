import { elementCount } from '../../kernels/tensor.js';
import { dense as denseOp } from '../../kernels/ops/dense/dense.js';
import { flatten } from '../../kernels/ops/flatten/flatten.js';
import type { PlanBuilder } from '../../kernels/planBuilder.js';
import type { Tensor } from '../../kernels/tensor.js';
import type { LayerBase, LayerShape } from '../network.js';
import type { Conv2dLayer } from './convolution.js';
import { asMap, define, fail, ONE_INPUT, show } from './definition.js';
import { channels, orNull, weightName } from './fields.js';
import { inRows } from './layout.js';

export interface DenseLayer extends LayerBase {
  readonly kind: 'dense';
  readonly outFeatures: number;
  /** Names in the weights: `[outFeatures, inFeatures]` (PyTorch's order) and `[outFeatures]`. */
  readonly weight: string;
  readonly bias: string | null;
}

/** Features of [N, F] or [N, F, 1, 1], which is the same in memory. */
function features(layer: DenseLayer, shape: LayerShape): number {
  const [, size, height = 1, width = 1] = shape;
  const fits = size !== undefined && height === 1 && width === 1 && (shape.length === 2 || shape.length === 4);
  return fits ? size : fail(layer, `its input must be a vector [N, F]; got ${show(shape)}: flatten it first.`);
}

/** [N, F] of [N, F] or [N, F, 1, 1]. */
export function asVector(b: PlanBuilder, x: Tensor): Tensor {
  const rows = inRows(b, x);
  return rows.shape.length === 4 ? flatten(b, rows) : rows;
}

export const dense = define<DenseLayer>({
  kind: 'dense',
  inputs: ONE_INPUT,
  fields: { outFeatures: channels, weight: weightName('weight'), bias: orNull(weightName('bias')) },
  shape(layer, [input]) {
    features(layer, input);
    return [input[0] as number, layer.outFeatures];
  },
  weightShapes: (layer, [input]) => ({
    weight: [layer.outFeatures, features(layer, input)],
    bias: [layer.outFeatures],
  }),
  multiplyAdds: (_, [input], output) => elementCount(input.slice(1)) * elementCount(output),
  fusesActivation: true,
  build(context, layer, [x], activation) {
    const bias = layer.bias === null ? null : context.parameter(layer.bias);
    return denseOp(context.b, asVector(context.b, x), context.kernel(layer.weight), { bias, activation });
  },
});

/** A dense layer at each pixel of a map, [N, C, H, W] -> [N, outFeatures, H, W]: a 1x1 convolution whose weight is a matrix. */
export interface Dense2dLayer extends LayerBase {
  readonly kind: 'dense2d';
  readonly outFeatures: number;
  /** Names in the weights: `[outFeatures, C]` and `[outFeatures]`. */
  readonly weight: string;
  readonly bias: string | null;
}

export const dense2d = define<Dense2dLayer>({
  kind: 'dense2d',
  inputs: ONE_INPUT,
  fields: { outFeatures: channels, weight: weightName('weight'), bias: orNull(weightName('bias')) },
  shape(layer, [input]) {
    const [n, , height, width] = asMap(layer, input);
    return [n, layer.outFeatures, height, width];
  },
  weightShapes(layer, [input]) {
    const [, inFeatures] = asMap(layer, input);
    return { weight: [layer.outFeatures, inFeatures], bias: [layer.outFeatures] };
  },
  multiplyAdds: (layer, [input], output) => asMap(layer, input)[1] * elementCount(output),
});

/** The same as a convolution; its weight still is a matrix. */
export const asConvolution = ({ outFeatures, ...layer }: Dense2dLayer): Conv2dLayer => ({
  ...layer,
  kind: 'conv2d',
  outChannels: outFeatures,
  kernel: [1, 1],
  stride: [1, 1],
  padding: { top: 0, left: 0, bottom: 0, right: 0 },
  dilation: [1, 1],
  groups: 1,
});
