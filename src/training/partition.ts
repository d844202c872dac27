import { namedWeights } from '../models/layers/registry.js';
import type { AuxiliaryOutput, Layer, Network } from '../models/network.js';
import { graphShapes } from '../models/shapes.js';
import { ancestors, logitsLayer } from './inference.js';

/** A network cut into the part that a run never changes and the part that it trains. */
export interface Partition {
  /** Layers of the frozen trunk in topological order: neither they nor anything below them can change or is random. */
  readonly trunk: readonly Layer[];
  /** The other layers, in topological order, and what they read of parameters that do not change. */
  readonly head: readonly Layer[];
  /** Trunk layers whose outputs the head reads. Only the input layer where nothing is frozen. */
  readonly boundary: readonly string[];
  /** Auxiliary outputs with a gradient: where the layers that they depend on are all frozen, they are left out. */
  readonly auxiliary: readonly AuxiliaryOutput[];
}

export const hasParameters = (layer: Layer): boolean => namedWeights(layer).length > 0;

const trains = (layer: Layer): boolean => hasParameters(layer) && layer.learningRateFactor > 0;

/**
 * Cuts a network below its lowest layer that trains. Dropout counts as the head's: its output differs at every step. Layers that
 * neither the logits nor an auxiliary output need are in neither part.
 */
export function partitionNetwork(network: Network): Partition {
  const logits = logitsLayer(network);
  const auxiliary = network.auxiliary.filter(({ layer }) => ancestors(network, [layer]).some(trains));
  const layers = ancestors(network, [logits, ...auxiliary.map(({ layer }) => layer)]);
  const changing = new Set<string>();
  for (const layer of layers) {
    const own = trains(layer) || (layer.kind === 'dropout' && layer.rate > 0);
    if (own || layer.inputs.some((input) => changing.has(input))) changing.add(layer.name);
  }
  const isChanging = ({ name }: Layer) => changing.has(name);
  const { batched } = graphShapes(network);
  // Values that no picture has a part in are no features: each part computes those that it reads.
  const constantsOf = (part: readonly Layer[]): Set<string> => {
    const needed = new Set(part.flatMap(({ inputs }) => inputs).filter((name) => !batched.has(name)));
    for (const { name, inputs } of layers.toReversed())
      if (needed.has(name)) for (const input of inputs) needed.add(input);
    return needed;
  };
  const ofHead = constantsOf(layers.filter(isChanging));
  const ofTrunk = constantsOf(layers.filter((layer) => batched.has(layer.name) && !isChanging(layer)));
  const head = layers.filter((layer) => isChanging(layer) || ofHead.has(layer.name));
  const trunk = layers.filter((layer) => !isChanging(layer) && (batched.has(layer.name) || ofTrunk.has(layer.name)));
  // Logits of a frozen network whose auxiliary head trains are in the trunk.
  const read = new Set([logits, ...head.flatMap((layer) => layer.inputs)]);
  const boundary = trunk.filter((layer) => read.has(layer.name) && batched.has(layer.name)).map((layer) => layer.name);
  return { trunk, head, boundary, auxiliary };
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

/** Whether the loss has a gradient: a layer that it depends on trains. */
export const isTrainable = (network: Network): boolean =>
  partitionNetwork(network).head.some((layer) => trainedWeights(layer).parameters.length > 0);
