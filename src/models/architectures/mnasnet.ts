import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { makeDivisible } from './divisible.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface MnasnetOptions extends ArchitectureOptions {
  /** Depth multiplier of the channels, called alpha: 1 is the paper's network. */
  readonly alpha?: number;
  /** Rate of the dropout in front of the classifier. */
  readonly dropout?: number;
}

/** Channels, kernel, stride of the first block, expansion and blocks (Tan et al. 2019, figure 7a, without its SE parts). */
const STACKS = [
  [24, 3, 2, 3, 3],
  [40, 5, 2, 3, 3],
  [80, 5, 2, 6, 3],
  [96, 3, 1, 6, 2],
  [192, 5, 2, 6, 4],
  [320, 3, 1, 6, 1],
] as const;
const STEM = 32;
const SEPARABLE = 16;
const LAST = 1280;

/** TensorFlow's 0.9997 of the old statistics. */
const BATCH_NORM = { momentum: 1 - 0.9997 } as const;

type Sizes = { out: number; kernel: number; stride?: number; groups?: number };

/** A convolution and its batch norm at `index` of a list of layers. */
function convBn(b: NetworkBuilder, name: string, index: number, sizes: Sizes): string {
  b.conv(`${name}.${index}`, { ...sizes, padding: (sizes.kernel - 1) / 2 });
  return b.batchNorm(`${name}.${index + 1}`, BATCH_NORM);
}

interface Block {
  readonly channels: number;
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
  readonly expansion: number;
}

/** MobileNet-v2's inverted residual, with ReLU and kernels of either size (figure 7b and c). */
function block(b: NetworkBuilder, name: string, { channels, out, kernel, stride, expansion }: Block): void {
  const input = b.last;
  const hidden = channels * expansion;
  convBn(b, `${name}.layers`, 0, { out: hidden, kernel: 1 });
  b.activation(`${name}.layers.2`);
  convBn(b, `${name}.layers`, 3, { out: hidden, kernel, stride, groups: hidden });
  b.activation(`${name}.layers.5`);
  const projected = convBn(b, `${name}.layers`, 6, { out, kernel: 1 });
  if (stride === 1 && channels === out) b.add(`${name}.add`, projected, input);
}

/**
 * MNASNet-B1: Tan, Chen, Pang, Vasudevan, Sandler, Howard and Le, "MnasNet: Platform-Aware Neural Architecture Search for Mobile",
 * CVPR 2019 (arXiv 1807.11626). Names and sizes are those of torchvision's `mnasnet0_5` to `mnasnet1_3`, in the second version of
 * their state dict, which scales the first layers, too.
 */
export function mnasnet(options: MnasnetOptions = {}): Network {
  const { alpha = 1, classes = 1000, inChannels, dropout = 0.2 } = options;
  const name = `mnasnet${Number.isInteger(alpha) ? alpha.toFixed(1) : alpha}`.replace('.', '_');
  const b = new NetworkBuilder(name, imagenetPreprocessing(...sides(options)), inChannels);
  const scaled = (channels: number) => makeDivisible(channels * alpha);
  const stem = scaled(STEM);
  convBn(b, 'layers', 0, { out: stem, kernel: 3, stride: 2 });
  b.activation('layers.2');
  convBn(b, 'layers', 3, { out: stem, kernel: 3, groups: stem });
  b.activation('layers.5');
  let channels = scaled(SEPARABLE);
  convBn(b, 'layers', 6, { out: channels, kernel: 1 });
  STACKS.forEach(([out, kernel, stride, expansion, blocks], stack) => {
    for (let n = 0; n < blocks; n++) {
      const sizes = { channels, out: scaled(out), kernel, stride: n === 0 ? stride : 1, expansion };
      block(b, `layers.${8 + stack}.${n}`, sizes);
      channels = scaled(out);
    }
  });
  convBn(b, 'layers', 14, { out: LAST, kernel: 1 });
  b.activation('layers.16');
  b.globalAveragePool('pool');
  b.dropout('classifier.0', dropout);
  b.dense('classifier.1', classes);
  return b.build();
}
