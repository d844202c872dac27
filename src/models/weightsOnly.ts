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

/** The given architecture with whichever names fit it; where none do, the error says what the file's own lack. */
function given(architecture: string, candidates: readonly Weights[], options: WeightsOnlyOptions): Model {
  let first: unknown;
  for (const candidate of candidates) {
    try {
      return withWeights(architectureOfWeights(architecture, candidate, options), candidate);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      first ??= error;
    }
  }
  throw first;
}

/**
 * The network of a file that holds weights alone: the built-in architecture that they fit, by names and shapes. What is called
 * otherwise by simple rules is renamed. Throws UNKNOWN_FORMAT with the nearest architecture where none fits, INVALID_WEIGHTS where
 * the given one does not.
 */
export function modelOfWeights(weights: Weights, format: string, options: WeightsOnlyOptions = {}): Model {
  const { architecture, inputSize } = options;
  const candidates = possibleNames(weights);
  if (architecture !== undefined) return given(architecture, candidates, { inputSize });
  for (const candidate of candidates) {
    const network = matchArchitecture(candidate, { inputSize });
    if (network) return withWeights(network, candidate);
  }
  const nearest = nearestArchitecture(candidates);
  const message = `This ${format} file holds weights without a network, and their names and shapes are those of no built-in architecture`;
  throw new ModelError(
    'UNKNOWN_FORMAT',
    `${message}${nearest ? `; ${nearest}` : ''}. Import the network as ONNX, as safetensors with its network.json, or as a folder that Graft exported.`,
  );
}
