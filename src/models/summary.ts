import type { Layer, Network, Weights } from './network.js';
import { inferShapes, type LayerShape, weightSpecs } from './shapes.js';
import { validateNetwork } from './validate.js';

/** One layer as a person wants to see it. Shapes without the batch dimension. */
export interface LayerSummary {
  readonly layer: Layer;
  readonly outputShape: readonly number[];
  /** Trainable values (batch-norm statistics do not count), frozen or not. */
  readonly parameters: number;
  readonly frozen: boolean;
  /** Multiplications with an addition for one picture: convolutions and dense layers, as published counts have it. */
  readonly multiplyAdds: number;
}

const product = (shape: readonly number[]): number => shape.reduce((result, size) => result * size, 1);

function multiplyAdds(layer: Layer, input: LayerShape, output: LayerShape): number {
  if (layer.kind === 'conv2d') {
    return (product(output) * (input[0] as number) * layer.kernel[0] * layer.kernel[1]) / layer.groups;
  }
  return layer.kind === 'dense' ? product(input) * product(output) : 0;
}

/** Summary without a look at the weights; the network must be valid. */
export function summarizeNetwork(network: Network): LayerSummary[] {
  const shapes = inferShapes(network);
  const parameters = new Map<string, number>();
  for (const { layer, role, shape } of weightSpecs(network, shapes)) {
    if (role === 'weight' || role === 'bias') {
      parameters.set(layer.name, (parameters.get(layer.name) ?? 0) + product(shape));
    }
  }
  return network.layers.map((layer) => {
    const outputShape = shapes.get(layer.name) as number[];
    return {
      layer,
      outputShape,
      parameters: parameters.get(layer.name) ?? 0,
      frozen: layer.learningRateFactor === 0,
      multiplyAdds: multiplyAdds(layer, shapes.get(layer.inputs[0] ?? '') ?? [], outputShape),
    };
  });
}

/** Each layer's kind, output shape, parameters, frozen or not, multiply-adds. Throws as `validateNetwork`. */
export function summarize(network: Network, weights: Weights): LayerSummary[] {
  validateNetwork(network, weights);
  return summarizeNetwork(network);
}
