import { elementCount } from '../kernels/tensor.js';
import { findClassifier } from './classifier.js';
import type { Layer, Network, Weights, WeightTensor } from './network.js';
import { Random } from './random.js';
import { type WeightSpec, weightSpecs } from './shapes.js';

export function filled(shape: readonly number[], value: () => number): WeightTensor {
  const data = new Float32Array(elementCount(shape));
  for (let index = 0; index < data.length; index++) data[index] = value();
  return { shape: [...shape], data };
}

/**
 * Uniform in +-sqrt(6 / ((1 + a^2) fanIn)): the variance of He et al. 2015 ("Delving Deep into Rectifiers"), equations 10
 * and 15, `a` being the slope of the rectifier behind the layer: 0 for ReLU. PyTorch's Linear draws with a = sqrt(5).
 */
export function heUniform(shape: readonly [out: number, fanIn: number], slope: number, random: Random): WeightTensor {
  const bound = Math.sqrt(6 / ((1 + slope * slope) * shape[1]));
  return filled(shape, () => (2 * random.uniform() - 1) * bound);
}

/** What weights of these kinds begin with: scales at 1, PReLU's slope as in its paper. */
const CONSTANT_WEIGHTS: { readonly [K in Layer['kind']]?: number } = {
  batchNorm: 1,
  layerNorm: 1,
  channelNorm: 1,
  groupNorm: 1,
  prelu: 0.25,
};

function initialValue(spec: WeightSpec, classifier: string | null, seed: number): WeightTensor {
  const { layer, role, shape, name } = spec;
  if (role !== 'weight') return filled(shape, () => (role === 'runningVariance' ? 1 : 0));
  const random = new Random(seed, name);
  const normal = (deviation: number) => filled(shape, () => random.normal() * deviation);
  const constant = CONSTANT_WEIGHTS[layer.kind] ?? (layer.kind === 'parameter' ? layer.initial : null);
  if (constant !== null) return filled(shape, () => constant);
  if (layer.kind === 'dense' || layer.name === classifier) return normal(0.01);
  const [outChannels = 1, , height = 1, width = 1] = shape;
  const groups = layer.kind === 'conv2d' ? layer.groups : 1;
  return normal(Math.sqrt(2 / ((outChannels / groups) * height * width)));
}

/**
 * Fresh weights for every layer of `network`.
 *
 * Convolutions: normal with variance 2 / fanOut (He et al. 2015, equation 14), as torchvision starts MobileNet-v2 and
 * ResNet; fanOut counts the connections that exist, so a grouped convolution's is outChannels / groups times the kernel's
 * area. Dense layers and a convolution that is the classifier (SqueezeNet): normal(0, 0.01). Norms: weight 1, bias 0,
 * mean 0, variance 1. Biases 0. Parameters: their layer's `initial`. Each tensor has a random stream of its own, named after it.
 */
export function initializeWeights(network: Network, seed: number): Weights {
  const classifier = findClassifier(network)?.name ?? null;
  const specs = weightSpecs(network);
  return new Map(specs.map((spec) => [spec.name, initialValue(spec, classifier, seed)]));
}
