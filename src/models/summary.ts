import { elementCount } from '../kernels/tensor.js';
import { ancestors } from './graph.js';
import type { Layer, Network, Weights } from './network.js';
import { graphShapes, inferShapes, type LayerShape, weightSpecs } from './shapes.js';
import { type Inputs } from './layers/definition.js';
import { definitionOf } from './layers/registry.js';
import { validateNetwork } from './validate.js';

/** One layer as a person wants to see it. Shapes without the batch dimension. */
export interface LayerSummary {
  readonly layer: Layer;
  readonly outputShape: readonly number[];
  /** Trainable values (batch-norm statistics do not count), frozen or not. */
  readonly parameters: number;
  readonly frozen: boolean;
  /**
   * Multiplications with an addition for one picture: convolutions and dense layers, as published counts have it. 0 for layers of
   * auxiliary heads, which predictions leave out.
   */
  readonly multiplyAdds: number;
  /** Weight of its loss in training where it is an auxiliary output, else null. */
  readonly auxiliaryLossWeight: number | null;
}

function multiplyAdds(layer: Layer, shapes: ReadonlyMap<string, LayerShape>): number {
  const shapeOf = (name: string) => shapes.get(name) as LayerShape;
  const inputs = layer.inputs.map(shapeOf) as unknown as Inputs<LayerShape>;
  return definitionOf(layer.kind).multiplyAdds?.(layer, inputs, shapeOf(layer.name)) ?? 0;
}

/** Summary without a look at the weights; the network must be valid. */
export function summarizeNetwork(network: Network): LayerSummary[] {
  const complete = graphShapes(network);
  const shapes = inferShapes(network, complete);
  const parameters = new Map<string, number>();
  for (const { layer, role, shape } of weightSpecs(network, complete)) {
    if (role === 'weight' || role === 'bias') {
      parameters.set(layer.name, (parameters.get(layer.name) ?? 0) + elementCount(shape));
    }
  }
  const lossWeights = new Map(network.auxiliary.map(({ layer, lossWeight }) => [layer, lossWeight]));
  const needed = ancestors(network.layers, (network.layers.at(-1) as Layer).name);
  return network.layers.map((layer) => {
    const outputShape = shapes.get(layer.name) as number[];
    return {
      layer,
      outputShape,
      parameters: parameters.get(layer.name) ?? 0,
      frozen: layer.learningRateFactor === 0,
      multiplyAdds: needed.has(layer.name) ? multiplyAdds(layer, complete.shapes) : 0,
      auxiliaryLossWeight: lossWeights.get(layer.name) ?? null,
    };
  });
}

/** Each layer's kind, output shape, parameters, frozen or not, multiply-adds. Throws as `validateNetwork`. */
export function summarize(network: Network, weights: Weights): LayerSummary[] {
  validateNetwork(network, weights);
  return summarizeNetwork(network);
}
