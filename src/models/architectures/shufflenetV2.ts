import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export type ShufflenetV2Width = '0.5' | '1.0' | '1.5' | '2.0';

export interface ShufflenetV2Options extends ArchitectureOptions {
  readonly width: ShufflenetV2Width;
}

/** Channels of stages 2 to 4 and of the last convolution (paper, table 5). */
const CHANNELS: Readonly<Record<ShufflenetV2Width, readonly [number, number, number, number]>> = {
  '0.5': [48, 96, 192, 1024],
  '1.0': [116, 232, 464, 1024],
  '1.5': [176, 352, 704, 1024],
  '2.0': [244, 488, 976, 2048],
};
const STEM = 24;
/** Units of stages 2 to 4. */
const UNITS = [4, 8, 4] as const;

function convBn(b: NetworkBuilder, name: string, index: number, out: number, input = b.last): void {
  b.conv(`${name}.${index}`, { out, kernel: 1 }, input);
  b.batchNorm(`${name}.${index + 1}`);
}

function depthwiseBn(b: NetworkBuilder, name: string, index: number, channels: number, stride: number, input = b.last) {
  const sizes = { out: channels, kernel: 3, stride, padding: 1, groups: channels };
  b.conv(`${name}.${index}`, sizes, input);
  b.batchNorm(`${name}.${index + 1}`);
}

/** 1x1, 3x3 by depth, 1x1. */
function branch(b: NetworkBuilder, name: string, out: number, stride: number, input: string): string {
  convBn(b, name, 0, out, input);
  b.activation(`${name}.2`);
  depthwiseBn(b, name, 3, out, stride);
  convBn(b, name, 5, out);
  return b.activation(`${name}.7`);
}

/** Half of the channels goes through a branch, the other half stays; then they are shuffled (figure 3c). */
function unit(b: NetworkBuilder, name: string, channels: number): void {
  const input = b.last;
  const kept = b.channels(`${name}.kept`, 0, channels / 2, input);
  const taken = b.channels(`${name}.taken`, channels / 2, channels, input);
  b.concat(`${name}.concat`, kept, branch(b, `${name}.branch2`, channels / 2, 1, taken));
  b.channelShuffle(name, 2);
}

/** All channels go through both branches, which halve the map (figure 3d). */
function downsamplingUnit(b: NetworkBuilder, name: string, channels: number, out: number): void {
  const input = b.last;
  depthwiseBn(b, `${name}.branch1`, 0, channels, 2, input);
  convBn(b, `${name}.branch1`, 2, out / 2);
  const first = b.activation(`${name}.branch1.4`);
  b.concat(`${name}.concat`, first, branch(b, `${name}.branch2`, out / 2, 2, input));
  b.channelShuffle(name, 2);
}

/**
 * ShuffleNet-v2: Ma, Zhang, Zheng and Sun, "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", ECCV 2018
 * (arXiv 1807.11164). Names and sizes are those of torchvision's `shufflenet_v2_x0_5` to `shufflenet_v2_x2_0`.
 */
export function shufflenetV2(options: ShufflenetV2Options): Network {
  const { width, classes = 1000, inChannels } = options;
  const name = `shufflenet_v2_x${width.replace('.', '_')}`;
  const b = new NetworkBuilder(name, imagenetPreprocessing(...sides(options)), inChannels);
  const [stage2, stage3, stage4, last] = CHANNELS[width];
  let channels = STEM;
  b.conv('conv1.0', { out: channels, kernel: 3, stride: 2, padding: 1 });
  b.batchNorm('conv1.1');
  b.activation('conv1.2');
  b.maxPool('maxpool', { kernel: 3, stride: 2, padding: 1 });
  [stage2, stage3, stage4].forEach((out, index) => {
    const stage = `stage${index + 2}`;
    downsamplingUnit(b, `${stage}.0`, channels, out);
    channels = out;
    for (let n = 1; n < (UNITS[index] as number); n++) unit(b, `${stage}.${n}`, channels);
  });
  convBn(b, 'conv5', 0, last);
  b.activation('conv5.2');
  b.globalAveragePool('pool');
  b.dense('fc', classes);
  return b.build();
}
