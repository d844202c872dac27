import { architectureOfWeights, matchArchitecture, nearestArchitecture } from './architectures/match.js';
import { ModelError } from './errors.js';
import { keepWeights, type Model } from './graph.js';
import type { Network, Weights } from './network.js';
import { possibleNames } from './stateDictNames.js';

export interface WeightsOnlyOptions {
  /** Side of the input in pixels; by default the architecture's usual one. */
  readonly inputSize?: number;
  /** The built-in architecture, where it is known; by default it is recognised. */
  readonly architecture?: string;
}

/** The weights that a network has, without what a file says of them besides. */
function withWeights(network: Network, weights: Weights): Model {
  const kept = keepWeights(network.layers, weights);
  return { network, weights: new Map([...kept].map(([name, { shape, data }]) => [name, { shape, data }])) };
}

/**
 * The network of a file that holds weights alone: the built-in architecture that they fit, by names and shapes. What is called
 * otherwise by simple rules is renamed. Throws UNKNOWN_FORMAT with the nearest architecture where none fits, INVALID_WEIGHTS where
 * the given one does not.
 */
export function modelOfWeights(weights: Weights, format: string, options: WeightsOnlyOptions = {}): Model {
  const { architecture, ...rest } = options;
  const [own, ...renamed] = possibleNames(weights) as [Weights, ...Weights[]];
  if (architecture !== undefined) {
    const candidate = renamed[0] ?? own;
    return withWeights(architectureOfWeights(architecture, candidate, rest), candidate);
  }
  for (const candidate of [own, ...renamed]) {
    const network = matchArchitecture(candidate, rest);
    if (network) return withWeights(network, candidate);
  }
  const nearest = nearestArchitecture(renamed[0] ?? own);
  const message = `This ${format} file holds weights without a network, and their names and shapes are those of no built-in architecture`;
  throw new ModelError(
    'UNKNOWN_FORMAT',
    `${message}${nearest ? `; ${nearest}` : ''}. Import the network as ONNX, or export it from Graft.`,
  );
}
