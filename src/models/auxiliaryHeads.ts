import { elementCount } from '../kernels/tensor.js';
import { findClassifier } from './classifier.js';
import { ModelError } from './errors.js';
import { ancestors, keepWeights, type Model } from './graph.js';
import { filled, heUniform } from './initialize.js';
import type { Layer, WeightTensor } from './network.js';
import { Random } from './random.js';
import { weightSpecs } from './shapes.js';
import { truncateAt } from './surgery.js';

/**
 * `trunk`, which was cut from `model`, with the auxiliary heads of `model`, whose classifiers get `classes` outputs and fresh weights
 * under their old names. The output of the trunk stays the last layer. Throws INVALID_ARGUMENT for a head without a classifier.
 */
export function keepAuxiliaryHeads(trunk: Model, model: Model, classes: number, seed: number): Model {
  const output = (trunk.network.layers.at(-1) as Layer).name;
  const { auxiliary, layers } = model.network;
  const needed = new Set(trunk.network.layers.map(({ name }) => name));
  const weights = new Map(model.weights);
  const replaced = new Map<string, Layer>();
  for (const { layer } of auxiliary) {
    const classifier = findClassifier(truncateAt(model.network, model.weights, layer).network);
    if (!classifier) {
      const advice = 'Replace the head without keepAuxiliaryHeads.';
      throw new ModelError('INVALID_ARGUMENT', `The auxiliary output ${layer} is made by no classifier. ${advice}`);
    }
    for (const name of ancestors(layers, layer)) needed.add(name);
    replaced.set(classifier.name, {
      ...classifier,
      ...(classifier.kind === 'dense' ? { outFeatures: classes } : { outChannels: classes }),
      learningRateFactor: 1,
    });
  }
  const kept = layers.filter(({ name }) => needed.has(name) && name !== output);
  const network = {
    ...trunk.network,
    layers: [...kept, trunk.network.layers.at(-1) as Layer].map((layer) => replaced.get(layer.name) ?? layer),
    auxiliary,
  };
  for (const { name, shape, layer, role } of weightSpecs(network)) {
    if (replaced.has(layer.name)) weights.set(name, fresh(name, shape, role, seed));
  }
  return { network, weights: keepWeights(network.layers, weights) };
}

/** As `replaceHead` starts its classifier. */
function fresh(name: string, shape: readonly number[], role: string, seed: number): WeightTensor {
  if (role === 'bias') return filled(shape, () => 0);
  const [out = 1, ...rest] = shape;
  const fanIn = elementCount(rest);
  return { ...heUniform([out, fanIn], Math.sqrt(5), new Random(seed, name)), shape: [...shape] };
}
