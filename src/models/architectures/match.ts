import { findClassifier } from '../classifier.js';
import type { Network, Weights } from '../network.js';
import { weightSpecs } from '../shapes.js';
import type { ArchitectureOptions } from './options.js';
import { ARCHITECTURES, type Architecture } from './registry.js';

/** Counters that PyTorch keeps beside a batch norm's statistics; nothing reads them here. */
const COUNTER = '.num_batches_tracked';

/** Classes and input channels as the weights have them, or null where they have no such layers. */
function readSizes(network: Network, weights: Weights): Pick<ArchitectureOptions, 'classes' | 'inChannels'> | null {
  const input = network.layers[0]?.name;
  const first = network.layers.find(({ kind, inputs }) => kind === 'conv2d' && inputs[0] === input);
  if (first?.kind !== 'conv2d') return null;
  const inChannels = weights.get(first.weight)?.shape[1];
  const classes = weights.get(findClassifier(network)?.weight ?? '')?.shape[0];
  const isCount = (value: number | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 1;
  return isCount(classes) && isCount(inChannels) ? { classes, inChannels } : null;
}

/** The options with which every name and shape agrees with the weights'; null where there are none. */
function fit(architecture: Architecture, weights: Weights, count: number): ArchitectureOptions | null {
  for (const auxiliaryHeads of architecture.hasAuxiliaryHeads ? [true, false] : [false]) {
    const network = architecture.build({ auxiliaryHeads });
    if (weightSpecs(network).length !== count) continue;
    const sizes = readSizes(network, weights);
    if (!sizes) continue;
    const options = { ...sizes, auxiliaryHeads };
    const specs = weightSpecs(architecture.build(options));
    if (specs.every(({ name, shape }) => weights.get(name)?.shape.join() === shape.join())) return options;
  }
  return null;
}

/**
 * The built-in architecture whose weights these are: every name and shape agrees (the numbers of classes and of input channels
 * are read off the weights). Null where none fits. This is how torchvision's files, which hold weights only, are recognised.
 * Auxiliary heads that are in the weights are in the network, where the input is large enough for them.
 */
export function matchArchitecture(weights: Weights, inputSize?: number): Network | null {
  const count = [...weights.keys()].filter((name) => !name.endsWith(COUNTER)).length;
  for (const architecture of Object.values(ARCHITECTURES)) {
    const options = fit(architecture, weights, count);
    if (!options) continue;
    const { auxiliaryHeads, ...sizes } = options;
    const side = inputSize ?? architecture.usualSide;
    return architecture.build({ ...sizes, inputSize: side, ...(auxiliaryHeads ? {} : { auxiliaryHeads: false }) });
  }
  return null;
}
