import { NetworkBuilder } from '../builder.js';
import { ModelError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface ResnetCifarOptions extends ArchitectureOptions {
  /** Weighted layers: 6n + 2 for n blocks in each stage. */
  readonly depth: number;
}

/** Channels of the three stages (section 4.2). */
const STAGE_CHANNELS = [16, 32, 64] as const;

/**
 * The block's input. Where the shape changes it is every second pixel with channels of zeros around (option A), which takes no
 * weights.
 */
function shortcut(b: NetworkBuilder, name: string, input: string, channels: number, out: number): string {
  if (channels === out) return input;
  b.everySecondPixel(`${name}.shortcut.pixels`, input);
  return b.padChannels(`${name}.shortcut.channels`, (out - channels) / 2);
}

function block(b: NetworkBuilder, name: string, channels: number, out: number): void {
  const input = b.last;
  b.conv(`${name}.conv1`, { out, kernel: 3, stride: channels === out ? 1 : 2, padding: 1 });
  b.batchNorm(`${name}.bn1`);
  b.activation(`${name}.relu1`);
  b.conv(`${name}.conv2`, { out, kernel: 3, padding: 1 });
  const residual = b.batchNorm(`${name}.bn2`);
  b.add(`${name}.add`, residual, shortcut(b, name, input, channels, out));
  b.activation(`${name}.relu2`);
}

/**
 * The small ResNets for pictures of 32 x 32: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016
 * (arXiv 1512.03385), section 4.2. Names of the weights are those of Idelbayev's widely used implementation in PyTorch, whose
 * preprocessing is ImageNet's. Throws INVALID_ARGUMENT for depths other than 6n + 2.
 */
export function resnetCifar(options: ResnetCifarOptions): Network {
  const { depth, classes = 10, inChannels } = options;
  const blocks = (depth - 2) / 6;
  if (!Number.isSafeInteger(blocks) || blocks < 1 || 18 * blocks > LIMITS.layers) {
    throw new ModelError('INVALID_ARGUMENT', `The depth of a ResNet for CIFAR is 6n + 2 for n >= 1; got ${depth}.`);
  }
  const preprocessing = { ...imagenetPreprocessing(...sides(options, 32)), cropFraction: 1 };
  const b = new NetworkBuilder(`resnet${depth}_cifar`, preprocessing, inChannels);
  b.conv('conv1', { out: 16, kernel: 3, padding: 1 });
  b.batchNorm('bn1');
  b.activation('relu');
  let channels: number = STAGE_CHANNELS[0];
  STAGE_CHANNELS.forEach((out, stage) => {
    for (let index = 0; index < blocks; index++) {
      block(b, `layer${stage + 1}.${index}`, channels, out);
      channels = out;
    }
  });
  b.globalAveragePool('avgpool');
  b.dense('linear', classes);
  return b.build();
}
