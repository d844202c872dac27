import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface DensenetOptions extends ArchitectureOptions {
  /** Layers of the four dense blocks (paper, table 1). */
  readonly blocks: readonly number[];
  /** Channels that each layer of a dense block adds: the paper's k. */
  readonly growthRate?: number;
  /** Channels of the first convolution. */
  readonly stemChannels?: number;
  /** Channels of a layer's 1x1 convolution, in multiples of the growth rate ("DenseNet-B", section 3). */
  readonly bottleneck?: number;
  /** Part of the channels that a transition keeps ("DenseNet-C": the paper's theta). */
  readonly compression?: number;
}

function normalisedConv(
  b: NetworkBuilder,
  names: { norm: string; relu: string; conv: string },
  options: { out: number; kernel: number },
): void {
  b.batchNorm(names.norm);
  b.activation(names.relu);
  b.conv(names.conv, { ...options, padding: (options.kernel - 1) / 2 });
}

/** Batch norm, ReLU and convolution, twice: 1x1 and 3x3. What comes out is put behind all channels that came in. */
function denseLayer(b: NetworkBuilder, name: string, growthRate: number, bottleneck: number): void {
  const input = b.last;
  for (const [index, sizes] of [
    { out: bottleneck * growthRate, kernel: 1 },
    { out: growthRate, kernel: 3 },
  ].entries()) {
    const part = index + 1;
    normalisedConv(b, { norm: `${name}.norm${part}`, relu: `${name}.relu${part}`, conv: `${name}.conv${part}` }, sizes);
  }
  b.concat(`${name}.concat`, input, b.last);
}

/**
 * A DenseNet-BC of any depth: Huang, Liu, van der Maaten and Weinberger, "Densely Connected Convolutional Networks", CVPR 2017
 * (arXiv 1608.06993). Names are torchvision's. torchvision joins all outputs of a block in front of each layer; here each layer
 * joins its output to what it read, which gives the same channels in the same order.
 */
export function densenet(architecture: string, options: DensenetOptions): Network {
  const { blocks, growthRate = 32, stemChannels = 64, bottleneck = 4, compression = 0.5 } = options;
  const { classes = 1000, inChannels } = options;
  const b = new NetworkBuilder(architecture, imagenetPreprocessing(...sides(options)), inChannels);
  b.conv('features.conv0', { out: stemChannels, kernel: 7, stride: 2, padding: 3 });
  b.batchNorm('features.norm0');
  b.activation('features.relu0');
  b.maxPool('features.pool0', { kernel: 3, stride: 2, padding: 1 });
  let channels = stemChannels;
  blocks.forEach((layers, index) => {
    const number = index + 1;
    for (let layer = 1; layer <= layers; layer++) {
      denseLayer(b, `features.denseblock${number}.denselayer${layer}`, growthRate, bottleneck);
    }
    channels += layers * growthRate;
    if (number === blocks.length) return;
    channels = Math.floor(channels * compression);
    const name = `features.transition${number}`;
    normalisedConv(
      b,
      { norm: `${name}.norm`, relu: `${name}.relu`, conv: `${name}.conv` },
      { out: channels, kernel: 1 },
    );
    b.averagePool(`${name}.pool`, { kernel: 2, stride: 2 });
  });
  b.batchNorm(`features.norm${blocks.length + 1}`);
  b.activation('relu');
  b.globalAveragePool('pool');
  b.dense('classifier', classes);
  return b.build();
}

/** torchvision's `densenet121`. */
export const densenet121 = (options: ArchitectureOptions = {}): Network =>
  densenet('densenet121', { ...options, blocks: [6, 12, 24, 16] });

/** torchvision's `densenet169`. */
export const densenet169 = (options: ArchitectureOptions = {}): Network =>
  densenet('densenet169', { ...options, blocks: [6, 12, 32, 32] });

/** torchvision's `densenet201`. */
export const densenet201 = (options: ArchitectureOptions = {}): Network =>
  densenet('densenet201', { ...options, blocks: [6, 12, 48, 32] });
