import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { makeDivisible } from './divisible.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface MobilenetV1Options extends ArchitectureOptions {
  /** Width multiplier, the paper's alpha: 1, 0.75, 0.5 and 0.25 there. */
  readonly width?: number;
  /** Rate of the dropout in front of the classifier. */
  readonly dropout?: number;
}

/** Howard et al. 2017, table 1: channels and blocks; the first block of each stage but the first halves the map. */
const STAGES = [
  [64, 1],
  [128, 2],
  [256, 2],
  [512, 6],
  [1024, 2],
] as const;

/** A convolution by depth and one across channels, each with batch norm and ReLU6 (figure 3, right). */
function separable(b: NetworkBuilder, name: string, channels: number, out: number, stride: number): void {
  b.conv(`${name}.conv_dw`, { out: channels, kernel: 3, stride, padding: 1, groups: channels });
  b.batchNorm(`${name}.bn1`);
  b.activation(`${name}.act1`, 'relu6');
  b.conv(`${name}.conv_pw`, { out, kernel: 1 });
  b.batchNorm(`${name}.bn2`);
  b.activation(`${name}.act2`, 'relu6');
}

/**
 * MobileNet-v1: Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto and Adam, "MobileNets: Efficient Convolutional Neural
 * Networks for Mobile Vision Applications", 2017 (arXiv 1704.04861). torchvision does not have it; names and sizes are those of
 * timm's `mobilenetv1_100`. ReLU6 instead of the paper's ReLU is what its authors' code has, and timm's.
 */
export function mobilenetV1(options: MobilenetV1Options = {}): Network {
  const { width = 1, classes = 1000, inChannels, dropout = 0.2 } = options;
  const name = `mobilenet_v1${width === 1 ? '' : `_${width}`.replace('.', '_')}`;
  const b = new NetworkBuilder(name, imagenetPreprocessing(...sides(options)), inChannels);
  let channels = makeDivisible(32 * width);
  b.conv('conv_stem', { out: channels, kernel: 3, stride: 2, padding: 1 });
  b.batchNorm('bn1');
  b.activation('act1', 'relu6');
  STAGES.forEach(([stageChannels, blocks], stage) => {
    const out = makeDivisible(stageChannels * width);
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      separable(b, `blocks.${stage}.${block}`, channels, out, stride);
      channels = out;
    }
  });
  b.globalAveragePool('global_pool');
  b.dropout('dropout', dropout);
  b.dense('classifier', classes);
  return b.build();
}
