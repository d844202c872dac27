import { findClassifier } from '../classifier.js';
import { ModelError } from '../errors.js';
import type { Network, Weights } from '../network.js';
import { weightSpecs } from '../shapes.js';
import { mobilenetV2 } from './mobilenetV2.js';
import { resnet18, resnet34, resnet50 } from './resnet.js';
import { squeezenet } from './squeezenet.js';

export interface ArchitectureOptions {
  /** Side of the square input in pixels; default 224. */
  readonly inputSize?: number;
  /** Outputs; default ImageNet's 1000. */
  readonly classes?: number;
}

/** The built-in architectures by name. */
export const ARCHITECTURES: Readonly<Record<string, (options: ArchitectureOptions) => Network>> = {
  mobilenet_v2: mobilenetV2,
  squeezenet1_0: (options) => squeezenet({ ...options, version: '1.0' }),
  squeezenet1_1: (options) => squeezenet({ ...options, version: '1.1' }),
  resnet18,
  resnet34,
  resnet50,
};

/** Builds an architecture by its name. Throws INVALID_ARGUMENT for names that are not built in. */
export function buildArchitecture(name: string, options: ArchitectureOptions = {}): Network {
  const build = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  if (build) return build(options);
  const known = Object.keys(ARCHITECTURES).join(', ');
  throw new ModelError('INVALID_ARGUMENT', `There is no architecture ${name}; built in are ${known}.`);
}

/** Counters that PyTorch keeps beside a batch norm's statistics; nothing reads them here. */
const COUNTER = '.num_batches_tracked';

/**
 * The built-in architecture whose weights these are: every name and shape agrees (the number of classes is read off the
 * classifier). Null where none fits. This is how torchvision's files, which hold weights only, are recognised.
 */
export function matchArchitecture(weights: Weights, inputSize = 224): Network | null {
  const count = [...weights.keys()].filter((name) => !name.endsWith(COUNTER)).length;
  for (const build of Object.values(ARCHITECTURES)) {
    const classifier = findClassifier(build({ inputSize }))?.weight ?? '';
    const classes = weights.get(classifier)?.shape[0];
    if (classes === undefined || !Number.isSafeInteger(classes) || classes < 1) continue;
    const network = build({ inputSize, classes });
    const specs = weightSpecs(network);
    const fits = specs.every(({ name, shape }) => weights.get(name)?.shape.join() === shape.join());
    if (fits && specs.length === count) return network;
  }
  return null;
}
