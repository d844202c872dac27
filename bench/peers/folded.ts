import type { Conv2dLayer, Layer, Network, Weights, WeightTensor } from '../../src/models/network.js';
import { foldBatchNorm } from '../../src/training/fold.js';

/** The same function with every batch norm folded into the convolution before it, as converters of networks do it. */
export function foldedLayers(network: Network, weights: Weights): { network: Network; weights: Weights } {
  const folded = new Map<string, WeightTensor>();
  /** Layers that are gone -> what stands for them. */
  const replaced = new Map<string, string>();
  const layers: Layer[] = [];
  const consumers = (name: string) => network.layers.filter((layer) => layer.inputs.includes(name));
  const keep = (layer: Layer) => {
    layers.push({ ...layer, inputs: layer.inputs.map((input) => replaced.get(input) ?? input) });
  };
  for (const layer of network.layers) {
    if (replaced.has(layer.name)) continue;
    const [next, ...others] = consumers(layer.name);
    if (layer.kind === 'conv2d' && next?.kind === 'batchNorm' && others.length === 0) {
      const { weight, bias } = foldBatchNorm(layer, next, weights);
      const biasName = `${layer.name}.folded_bias`;
      folded.set(layer.weight, weight).set(biasName, bias);
      replaced.set(next.name, layer.name);
      keep({ ...layer, bias: biasName } satisfies Conv2dLayer);
      continue;
    }
    keep(layer);
    const names = layer.kind === 'conv2d' || layer.kind === 'dense' ? [layer.weight, layer.bias] : [];
    for (const name of names) if (name !== null) folded.set(name, weights.get(name) as WeightTensor);
  }
  return { network: { ...network, layers }, weights: folded };
}
