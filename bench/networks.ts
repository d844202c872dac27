import { buildArchitecture } from '../src/models/architectures/registry.js';
import { findClassifier } from '../src/models/classifier.js';
import { initializeWeights } from '../src/models/initialize.js';
import type { Layer, Network, Weights } from '../src/models/network.js';
import { inferShapes, weightSpecs } from '../src/models/shapes.js';
import { summarizeNetwork } from '../src/models/summary.js';
import { randomValues } from './random.js';

export interface NetworkSpec {
  readonly architecture: string;
  /** Side of the pictures in pixels. */
  readonly side: number;
  readonly classes: number;
}

/**
 * A network with random weights, batch norms and their statistics included. Dropout is off: other engines draw other numbers, and
 * the results have to agree.
 */
export function benchNetwork(spec: NetworkSpec, seed: number): { network: Network; weights: Weights } {
  const { architecture, side, classes } = spec;
  const built = buildArchitecture(architecture, { inputSize: side, classes });
  const network: Network = {
    ...built,
    layers: built.layers.map((layer) => (layer.kind === 'dropout' ? { ...layer, rate: 0 } : layer)),
  };
  const weights = new Map(initializeWeights(network, seed));
  for (const { name, shape, role, layer } of weightSpecs(network)) {
    const isPositive = role === 'runningVariance' || (role === 'weight' && layer.kind === 'batchNorm');
    if (!isPositive && role === 'weight') continue;
    const count = shape.reduce((product, size) => product * size, 1);
    const data = randomValues(count, seed, name).map((value) => (isPositive ? 1 + 0.2 * value : 0.1 * value));
    weights.set(name, { shape, data });
  }
  return { network, weights };
}

/** The network with all layers frozen but the classifier. */
export function withFrozenTrunk(network: Network): Network {
  const classifier = findClassifier(network)?.name;
  return {
    ...network,
    layers: network.layers.map((layer) => (layer.name === classifier ? layer : { ...layer, learningRateFactor: 0 })),
  };
}

export interface NetworkCost {
  /** Additions and multiplications of the convolutions and dense layers for one picture. */
  readonly flops: number;
  /** Bytes that these layers read and write for one picture. */
  readonly activationBytes: number;
  /** Bytes of the weights, which are read once a batch. */
  readonly weightBytes: number;
}

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** What `layers` have to do at least, everything but convolutions and dense layers fused into those. */
export function networkCost(network: Network, layers: readonly Layer[] = network.layers): NetworkCost {
  const shapes = inferShapes(network);
  const names = new Set(layers.map(({ name }) => name));
  const cost = { flops: 0, activationBytes: 0, weightBytes: 0 };
  for (const { layer, outputShape, parameters, multiplyAdds } of summarizeNetwork(network)) {
    if (!names.has(layer.name)) continue;
    cost.weightBytes += 4 * parameters;
    if (layer.kind !== 'conv2d' && layer.kind !== 'dense') continue;
    cost.flops += 2 * multiplyAdds;
    cost.activationBytes += 4 * (elements(outputShape) + elements(shapes.get(layer.inputs[0] as string) as number[]));
  }
  return cost;
}
