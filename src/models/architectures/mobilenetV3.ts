import { NetworkBuilder } from '../builder.js';
import type { Activation, Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { makeDivisible } from './divisible.js';
import { type ArchitectureOptions, sides } from './options.js';
import { squeezeExcitation } from './squeezeExcitation.js';

export type MobilenetV3Size = 'small' | 'large';

export interface MobilenetV3Options extends ArchitectureOptions {
  readonly size: MobilenetV3Size;
  /** Width multiplier: 1 and 0.75 in the paper. */
  readonly width?: number;
  /** Rate of the dropout in front of the classifier. */
  readonly dropout?: number;
}

/** A line of the paper's tables 1 and 2: squeeze-and-excitation (SE) or not, ReLU (RE) or hard swish (HS). */
type Block = readonly [
  kernel: number,
  expanded: number,
  out: number,
  se: boolean,
  activation: 'RE' | 'HS',
  stride: number,
];

const SE = true;
const NO_SE = false;

const SIZES: Readonly<Record<MobilenetV3Size, { blocks: readonly Block[]; hidden: number }>> = {
  large: {
    blocks: [
      [3, 16, 16, NO_SE, 'RE', 1],
      [3, 64, 24, NO_SE, 'RE', 2],
      [3, 72, 24, NO_SE, 'RE', 1],
      [5, 72, 40, SE, 'RE', 2],
      [5, 120, 40, SE, 'RE', 1],
      [5, 120, 40, SE, 'RE', 1],
      [3, 240, 80, NO_SE, 'HS', 2],
      [3, 200, 80, NO_SE, 'HS', 1],
      [3, 184, 80, NO_SE, 'HS', 1],
      [3, 184, 80, NO_SE, 'HS', 1],
      [3, 480, 112, SE, 'HS', 1],
      [3, 672, 112, SE, 'HS', 1],
      [5, 672, 160, SE, 'HS', 2],
      [5, 960, 160, SE, 'HS', 1],
      [5, 960, 160, SE, 'HS', 1],
    ],
    hidden: 1280,
  },
  small: {
    blocks: [
      [3, 16, 16, SE, 'RE', 2],
      [3, 72, 24, NO_SE, 'RE', 2],
      [3, 88, 24, NO_SE, 'RE', 1],
      [5, 96, 40, SE, 'HS', 2],
      [5, 240, 40, SE, 'HS', 1],
      [5, 240, 40, SE, 'HS', 1],
      [5, 120, 48, SE, 'HS', 1],
      [5, 144, 48, SE, 'HS', 1],
      [5, 288, 96, SE, 'HS', 2],
      [5, 576, 96, SE, 'HS', 1],
      [5, 576, 96, SE, 'HS', 1],
    ],
    hidden: 1024,
  },
};

const STEM = 16;
/** How many times as many channels the last convolution has as the last block. */
const LAST_EXPANSION = 6;
/** TensorFlow's, with which the published weights were trained. */
const BATCH_NORM = { epsilon: 1e-3, momentum: 0.01 } as const;
/** min(max(x + 3, 0), 6) / 6 (paper, section 5.2). */
const HARD_SIGMOID: Activation = { kind: 'hardSigmoid', alpha: 1 / 6, beta: 0.5 };

type Sizes = { out: number; kernel: number; stride?: number; groups?: number };

function convBn(b: NetworkBuilder, name: string, sizes: Sizes, activation: Activation | null): void {
  b.conv(`${name}.0`, { ...sizes, padding: (sizes.kernel - 1) / 2 });
  b.batchNorm(`${name}.1`, BATCH_NORM);
  if (activation) b.activation(`${name}.2`, activation);
}

/** MobileNet-v2's block with squeeze-and-excitation between the depthwise convolution and the projection (figure 4). */
function block(b: NetworkBuilder, name: string, channels: number, sizes: Block): void {
  const [kernel, expanded, out, se, kind, stride] = sizes;
  const activation = kind === 'HS' ? 'hardSwish' : 'relu';
  const input = b.last;
  let part = 0;
  const next = () => `${name}.block.${part++}`;
  if (expanded !== channels) convBn(b, next(), { out: expanded, kernel: 1 }, activation);
  convBn(b, next(), { out: expanded, kernel, stride, groups: expanded }, activation);
  if (se) {
    const squeezed = makeDivisible(Math.floor(expanded / 4));
    squeezeExcitation(b, next(), { channels: expanded, squeezed, activation: 'relu', gate: HARD_SIGMOID });
  }
  convBn(b, next(), { out, kernel: 1 }, null);
  if (stride === 1 && channels === out) b.add(`${name}.add`, b.last, input);
}

/**
 * MobileNet-v3: Howard, Sandler, Chu, Chen, Chen, Tan, Wang, Zhu, Pang, Vasudevan, Le and Adam, "Searching for MobileNetV3", ICCV
 * 2019 (arXiv 1905.02244). Names and sizes are those of torchvision's `mobilenet_v3_small` and `mobilenet_v3_large`.
 */
export function mobilenetV3(options: MobilenetV3Options): Network {
  const { size, width = 1, classes = 1000, inChannels, dropout = 0.2 } = options;
  const b = new NetworkBuilder(`mobilenet_v3_${size}`, imagenetPreprocessing(...sides(options)), inChannels);
  const scaled = (channels: number) => makeDivisible(channels * width);
  const { blocks, hidden } = SIZES[size];
  let channels = scaled(STEM);
  let index = 0;
  convBn(b, `features.${index++}`, { out: channels, kernel: 3, stride: 2 }, 'hardSwish');
  for (const [kernel, expanded, out, ...rest] of blocks) {
    block(b, `features.${index++}`, channels, [kernel, scaled(expanded), scaled(out), ...rest]);
    channels = scaled(out);
  }
  convBn(b, `features.${index}`, { out: LAST_EXPANSION * channels, kernel: 1 }, 'hardSwish');
  b.globalAveragePool('avgpool');
  b.dense('classifier.0', scaled(hidden));
  b.activation('classifier.1', 'hardSwish');
  b.dropout('classifier.2', dropout);
  b.dense('classifier.3', classes);
  return b.build();
}
