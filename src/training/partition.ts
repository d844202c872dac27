import { namedWeights } from '../models/layers/registry.js';
import type { Layer, Network } from '../models/network.js';

/** A network cut into the part that a run never changes and the part that it trains. */
export interface Partition {
  /** Layers of the frozen trunk in topological order: neither they nor anything below them can change or is random. */
  readonly trunk: readonly Layer[];
  /** The other layers, in topological order. */
  readonly head: readonly Layer[];
  /** Trunk layers whose outputs the head reads. Only the input layer where nothing is frozen. */
  readonly boundary: readonly string[];
}

export const hasParameters = (layer: Layer): boolean => namedWeights(layer).length > 0;

/**
 * Cuts a network below its lowest layer that trains. Dropout counts as the head's: its output differs at every step.
 */
export function partitionNetwork(network: Network): Partition {
  const changing = new Set<string>();
  for (const layer of network.layers) {
    const own = (hasParameters(layer) && layer.learningRateFactor > 0) || (layer.kind === 'dropout' && layer.rate > 0);
    if (own || layer.inputs.some((input) => changing.has(input))) changing.add(layer.name);
  }
  const trunk = network.layers.filter((layer) => !changing.has(layer.name));
  const head = network.layers.filter((layer) => changing.has(layer.name));
  const read = new Set(head.flatMap((layer) => layer.inputs));
  const boundary = trunk.filter((layer) => read.has(layer.name)).map((layer) => layer.name);
  return { trunk, head, boundary };
}

/** Names of the weights that a layer trains, and of the statistics that training updates. */
export function trainedWeights(layer: Layer): { readonly parameters: string[]; readonly statistics: string[] } {
  if (layer.learningRateFactor === 0) return { parameters: [], statistics: [] };
  const parameters: string[] = [];
  const statistics: string[] = [];
  for (const { name, role } of namedWeights(layer)) {
    (role === 'weight' || role === 'bias' ? parameters : statistics).push(name);
  }
  return { parameters, statistics };
}
