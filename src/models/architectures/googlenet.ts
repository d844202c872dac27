import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { symmetricPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface GooglenetOptions extends ArchitectureOptions {
  /** Rate of the dropout in front of the classifier. */
  readonly dropout?: number;
}

/** TensorFlow's epsilon, with which the published weights were trained. */
const BATCH_NORM = { epsilon: 1e-3 } as const;
/** "The losses of the auxiliary classifiers were weighted by 0.3" (paper, section 5). */
const AUXILIARY_WEIGHT = 0.3;
const AUXILIARY_DROPOUT = 0.7;

type Sizes = { out: number; kernel: number; stride?: number; padding?: number };

function convBnRelu(b: NetworkBuilder, name: string, sizes: Sizes, input = b.last): string {
  b.conv(`${name}.conv`, sizes, input);
  b.batchNorm(`${name}.bn`, BATCH_NORM);
  return b.activation(`${name}.relu`);
}

/** Channels of a module: 1x1; 3x3 with the 1x1 in front; "5x5" likewise; 1x1 behind the pooling (paper, table 1). */
type Inception = readonly [
  one: number,
  threeReduce: number,
  three: number,
  fiveReduce: number,
  five: number,
  pool: number,
];

/**
 * Four ways side by side, joined along channels (paper, figure 2b). The third is the paper's 5x5; torchvision's is 3x3, by a
 * mistake that its weights were trained with.
 */
function inception(b: NetworkBuilder, name: string, channels: Inception): void {
  const input = b.last;
  const [one, threeReduce, three, fiveReduce, five, pool] = channels;
  const branch1 = convBnRelu(b, `${name}.branch1`, { out: one, kernel: 1 });
  convBnRelu(b, `${name}.branch2.0`, { out: threeReduce, kernel: 1 }, input);
  const branch2 = convBnRelu(b, `${name}.branch2.1`, { out: three, kernel: 3, padding: 1 });
  convBnRelu(b, `${name}.branch3.0`, { out: fiveReduce, kernel: 1 }, input);
  const branch3 = convBnRelu(b, `${name}.branch3.1`, { out: five, kernel: 3, padding: 1 });
  b.maxPool(`${name}.branch4.0`, { kernel: 3, stride: 1, padding: 1, ceilMode: true }, input);
  const branch4 = convBnRelu(b, `${name}.branch4.1`, { out: pool, kernel: 1 });
  b.concat(name, branch1, branch2, branch3, branch4);
}

/** A classifier on the map in the middle (paper, section 5; the pooling is adaptive, so that any input size will do). */
function auxiliaryHead(b: NetworkBuilder, name: string, classes: number): void {
  const input = b.last;
  b.adaptiveAveragePool(`${name}.pool`, 4);
  convBnRelu(b, `${name}.conv`, { out: 128, kernel: 1 });
  b.flatten(`${name}.flatten`);
  b.dense(`${name}.fc1`, 1024);
  b.activation(`${name}.relu`);
  b.dropout(`${name}.dropout`, AUXILIARY_DROPOUT);
  b.dense(`${name}.fc2`, classes);
  b.auxiliary(AUXILIARY_WEIGHT);
  b.last = input;
}

/**
 * GoogLeNet, or Inception-v1: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke and Rabinovich, "Going Deeper with
 * Convolutions", CVPR 2015 (arXiv 1409.4842). Names and sizes are those of torchvision's `googlenet`: with batch norm, which the
 * paper does not have yet, and pooling that rounds up. The published weights take x / 255 in [-1, 1]; torchvision has them do
 * with its usual preset by a change of scale inside the network (`transform_input`), which here is the preprocessing.
 */
export function googlenet(options: GooglenetOptions = {}): Network {
  const { classes = 1000, inChannels, auxiliaryHeads = true, dropout = 0.2 } = options;
  const b = new NetworkBuilder('googlenet', symmetricPreprocessing(...sides(options)), inChannels);
  const pool = (name: string, kernel: number) => b.maxPool(name, { kernel, stride: 2, ceilMode: true });
  convBnRelu(b, 'conv1', { out: 64, kernel: 7, stride: 2, padding: 3 });
  pool('maxpool1', 3);
  convBnRelu(b, 'conv2', { out: 64, kernel: 1 });
  convBnRelu(b, 'conv3', { out: 192, kernel: 3, padding: 1 });
  pool('maxpool2', 3);
  inception(b, 'inception3a', [64, 96, 128, 16, 32, 32]);
  inception(b, 'inception3b', [128, 128, 192, 32, 96, 64]);
  pool('maxpool3', 3);
  inception(b, 'inception4a', [192, 96, 208, 16, 48, 64]);
  if (auxiliaryHeads) auxiliaryHead(b, 'aux1', classes);
  inception(b, 'inception4b', [160, 112, 224, 24, 64, 64]);
  inception(b, 'inception4c', [128, 128, 256, 24, 64, 64]);
  inception(b, 'inception4d', [112, 144, 288, 32, 64, 64]);
  if (auxiliaryHeads) auxiliaryHead(b, 'aux2', classes);
  inception(b, 'inception4e', [256, 160, 320, 32, 128, 128]);
  pool('maxpool4', 2);
  inception(b, 'inception5a', [256, 160, 320, 32, 128, 128]);
  inception(b, 'inception5b', [384, 192, 384, 48, 128, 128]);
  b.globalAveragePool('avgpool');
  b.dropout('dropout', dropout);
  b.dense('fc', classes);
  return b.build();
}
