import { ModelError } from './errors.js';
import { ancestors, keepWeights, type Model, unknownLayers } from './graph.js';
import { initializeWeights } from './initialize.js';
import type { Layer, Network, Weights } from './network.js';
import { type LayerSelector, selectLayers } from './selection.js';

/**
 * The network with the learning-rate factor of the selected layers set; 0 freezes. Layers without parameters take the
 * factor too, without effect. Throws UNKNOWN_LAYER or INVALID_ARGUMENT.
 */
export function setLearningRateFactor(network: Network, selector: LayerSelector, factor: number): Network {
  if (!Number.isFinite(factor) || factor < 0) {
    throw new ModelError('INVALID_ARGUMENT', `A learning-rate factor is a number of at least 0; got ${factor}.`);
  }
  const selected = selectLayers(network, selector);
  const layers = network.layers.map((layer) =>
    selected.has(layer.name) ? { ...layer, learningRateFactor: factor } : layer,
  );
  return { ...network, layers };
}

export const freeze = (network: Network, selector: LayerSelector): Network =>
  setLearningRateFactor(network, selector, 0);

/** Sets the factor back to 1, whatever it was before the freeze. */
export const unfreeze = (network: Network, selector: LayerSelector): Network =>
  setLearningRateFactor(network, selector, 1);

/** The same layers with fresh weights (see `initializeWeights`) and nothing frozen: the from-scratch baseline. */
export function randomizeWeights({ network }: Model, seed: number): Model {
  const thawed = unfreeze(network, { all: true });
  return { network: thawed, weights: initializeWeights(thawed, seed) };
}

/** The network that ends in the output of `layerName`; layers that it does not need go, auxiliary outputs too. Classes become unknown. */
export function truncateAt(network: Network, weights: Weights, layerName: string): Model {
  if (!network.layers.some((layer) => layer.name === layerName)) throw unknownLayers(network, [layerName]);
  const needed = ancestors(network.layers, layerName);
  const layers = network.layers.filter((layer) => needed.has(layer.name));
  const isWhole = layerName === network.layers.at(-1)?.name;
  return {
    network: { ...network, layers, classes: isWhole ? network.classes : null, auxiliary: [] },
    weights: keepWeights(layers, weights),
  };
}

/** Drops softmax (and dropout, which does nothing there) at the end, so that the network's output is its logits. */
export function endInLogits({ network, weights }: Model): Model {
  const layers = [...network.layers];
  while (layers.length > 1 && ['softmax', 'dropout'].includes((layers.at(-1) as Layer).kind)) layers.pop();
  return layers.length === network.layers.length ? { network, weights } : { network: { ...network, layers }, weights };
}
