import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export type ShufflenetV1Width = '0.5' | '1.0' | '1.5' | '2.0';

export interface ShufflenetV1Options extends ArchitectureOptions {
  /** How many times as many channels as in the paper's table 1. */
  readonly width: ShufflenetV1Width;
}

/** Channels of the first convolution and of stages 2 to 4 in the authors' code. */
const CHANNELS: Readonly<Record<ShufflenetV1Width, readonly [number, number, number, number]>> = {
  '0.5': [12, 120, 240, 480],
  '1.0': [24, 240, 480, 960],
  '1.5': [24, 360, 720, 1440],
  '2.0': [48, 480, 960, 1920],
};
/** Units of stages 2 to 4 (table 1). */
const UNITS = [4, 8, 4] as const;
const GROUPS = 3;
/** How many times fewer channels there are inside a unit than it puts out. */
const BOTTLENECK = 4;

interface Unit {
  readonly channels: number;
  readonly out: number;
  readonly stride: number;
  /** Groups of the first convolution: 1 for the network's first unit, whose input has few channels (section 3.2). */
  readonly groups: number;
}

/**
 * A bottleneck of grouped 1x1 convolutions with a shuffle of channels in between (figure 2b); with a stride the input, averaged,
 * is joined instead of added (figure 2c). The order of the shuffle is that of the authors' code: the channels are seen as
 * [channels / groups, groups] and transposed, where the paper has [groups, channels / groups].
 */
function unit(b: NetworkBuilder, name: string, { channels, out, stride, groups }: Unit): void {
  const input = b.last;
  const inside = out / BOTTLENECK;
  b.conv(`${name}.branch_main_1.0`, { out: inside, kernel: 1, groups });
  b.batchNorm(`${name}.branch_main_1.1`);
  b.activation(`${name}.branch_main_1.2`);
  b.conv(`${name}.branch_main_1.3`, { out: inside, kernel: 3, stride, padding: 1, groups: inside });
  b.batchNorm(`${name}.branch_main_1.4`);
  b.channelShuffle(`${name}.shuffle`, inside / GROUPS);
  b.conv(`${name}.branch_main_2.0`, { out: stride === 1 ? out : out - channels, kernel: 1, groups: GROUPS });
  const main = b.batchNorm(`${name}.branch_main_2.1`);
  if (stride === 1) {
    b.add(`${name}.add`, main, input);
    b.activation(`${name}.relu`);
  } else {
    const positive = b.activation(`${name}.relu`);
    const pooled = b.averagePool(`${name}.branch_proj`, { kernel: 3, stride, padding: 1 }, input);
    b.concat(name, pooled, positive);
  }
}

/**
 * ShuffleNet-v1 with three groups: Zhang, Zhou, Lin and Sun, "ShuffleNet: An Extremely Efficient Convolutional Neural Network for
 * Mobile Devices", CVPR 2018 (arXiv 1707.01083). torchvision does not have it; names and sizes are those of the authors' code
 * (megvii-model/ShuffleNet-Series), the classifier without a bias included.
 */
export function shufflenetV1(options: ShufflenetV1Options): Network {
  const { width, classes = 1000, inChannels } = options;
  const name = `shufflenet_v1_x${width.replace('.', '_')}`;
  const b = new NetworkBuilder(name, imagenetPreprocessing(...sides(options)), inChannels);
  const [first, ...stages] = CHANNELS[width];
  let channels: number = first;
  b.conv('first_conv.0', { out: channels, kernel: 3, stride: 2, padding: 1 });
  b.batchNorm('first_conv.1');
  b.activation('first_conv.2');
  b.maxPool('maxpool', { kernel: 3, stride: 2, padding: 1 });
  let index = 0;
  stages.forEach((out, stage) => {
    for (let n = 0; n < (UNITS[stage] as number); n++) {
      const groups = index === 0 ? 1 : GROUPS;
      unit(b, `features.${index++}`, { channels, out, stride: n === 0 ? 2 : 1, groups });
      channels = out;
    }
  });
  b.globalAveragePool('globalpool');
  b.dense('classifier.0', classes, { bias: false });
  return b.build();
}
