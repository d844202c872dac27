import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface ResnetOptions extends ArchitectureOptions {
  readonly block: 'basic' | 'bottleneck';
  /** Blocks of the four stages. */
  readonly depths: readonly [number, number, number, number];
  /** Bottleneck blocks only: groups of the 3x3 convolution, the cardinality of ResNeXt. */
  readonly groups?: number;
  /**
   * Bottleneck blocks only: channels of a group in the first stage; they double from stage to stage. 64 is the plain network,
   * 128 one "twice as wide".
   */
  readonly widthPerGroup?: number;
}

/** Channels of the four stages (He et al. 2016, table 1). */
const STAGE_CHANNELS = [64, 128, 256, 512] as const;

interface BlockSizes {
  readonly channels: number;
  readonly out: number;
  readonly stride: number;
  /** Channels inside a bottleneck, and the groups that they are in. */
  readonly width: number;
  readonly groups: number;
}

/** The block's input, through a strided 1x1 convolution where the shape changes (option B). */
function shortcut(b: NetworkBuilder, name: string, input: string, { channels, out, stride }: BlockSizes) {
  if (stride === 1 && channels === out) return input;
  b.conv(`${name}.downsample.0`, { out, kernel: 1, stride }, input);
  return b.batchNorm(`${name}.downsample.1`);
}

/** Two 3x3 convolutions and a shortcut (figure 2). */
function basicBlock(b: NetworkBuilder, name: string, sizes: BlockSizes): void {
  const { out, stride } = sizes;
  const input = b.last;
  b.conv(`${name}.conv1`, { out, kernel: 3, stride, padding: 1 });
  b.batchNorm(`${name}.bn1`);
  b.activation(`${name}.relu1`);
  b.conv(`${name}.conv2`, { out, kernel: 3, padding: 1 });
  const residual = b.batchNorm(`${name}.bn2`);
  b.add(`${name}.add`, residual, shortcut(b, name, input, sizes));
  b.activation(`${name}.relu2`);
}

/** How many times as many channels leave a bottleneck block as its 3x3 convolution has. */
const EXPANSION = 4;

/**
 * A 1x1, a 3x3 and a 1x1 convolution and a shortcut as in the basic block (figure 5, right). The stride is the 3x3's, as in
 * torchvision ("ResNet v1.5"); the paper has it in the first 1x1.
 */
function bottleneckBlock(b: NetworkBuilder, name: string, sizes: BlockSizes): void {
  const { out, stride, width, groups } = sizes;
  const input = b.last;
  b.conv(`${name}.conv1`, { out: width, kernel: 1 });
  b.batchNorm(`${name}.bn1`);
  b.activation(`${name}.relu1`);
  b.conv(`${name}.conv2`, { out: width, kernel: 3, stride, padding: 1, groups });
  b.batchNorm(`${name}.bn2`);
  b.activation(`${name}.relu2`);
  b.conv(`${name}.conv3`, { out, kernel: 1 });
  const residual = b.batchNorm(`${name}.bn3`);
  b.add(`${name}.add`, residual, shortcut(b, name, input, sizes));
  b.activation(`${name}.relu3`);
}

/**
 * A ResNet of any depth: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv 1512.03385).
 * With groups it is a ResNeXt: Xie, Girshick, Dollar, Tu and He, "Aggregated Residual Transformations for Deep Neural Networks",
 * CVPR 2017 (arXiv 1611.05431); with more channels in the bottlenecks a wide one: Zagoruyko and Komodakis, "Wide Residual
 * Networks", BMVC 2016 (arXiv 1605.07146). Names and sizes are torchvision's.
 */
export function resnet(architecture: string, options: ResnetOptions): Network {
  const { block, depths, groups = 1, widthPerGroup = 64, classes = 1000, inChannels } = options;
  const b = new NetworkBuilder(architecture, imagenetPreprocessing(...sides(options)), inChannels);
  b.conv('conv1', { out: 64, kernel: 7, stride: 2, padding: 3 });
  b.batchNorm('bn1');
  b.activation('relu');
  b.maxPool('maxpool', { kernel: 3, stride: 2, padding: 1 });
  let channels = 64;
  const [addBlock, expansion] = block === 'basic' ? [basicBlock, 1] : [bottleneckBlock, EXPANSION];
  STAGE_CHANNELS.forEach((stageChannels, stage) => {
    const out = stageChannels * expansion;
    const width = Math.floor(stageChannels * (widthPerGroup / 64)) * groups;
    for (let index = 0; index < (depths[stage] as number); index++) {
      const stride = stage > 0 && index === 0 ? 2 : 1;
      addBlock(b, `layer${stage + 1}.${index}`, { channels, out, stride, width, groups });
      channels = out;
    }
  });
  b.globalAveragePool('avgpool');
  b.dense('fc', classes);
  return b.build();
}

export const resnet18 = (options: ArchitectureOptions = {}): Network =>
  resnet('resnet18', { ...options, block: 'basic', depths: [2, 2, 2, 2] });

export const resnet34 = (options: ArchitectureOptions = {}): Network =>
  resnet('resnet34', { ...options, block: 'basic', depths: [3, 4, 6, 3] });

export const resnet50 = (options: ArchitectureOptions = {}): Network =>
  resnet('resnet50', { ...options, block: 'bottleneck', depths: [3, 4, 6, 3] });

export const resnet101 = (options: ArchitectureOptions = {}): Network =>
  resnet('resnet101', { ...options, block: 'bottleneck', depths: [3, 4, 23, 3] });

export const resnet152 = (options: ArchitectureOptions = {}): Network =>
  resnet('resnet152', { ...options, block: 'bottleneck', depths: [3, 8, 36, 3] });

/** 32 groups of 4 channels. */
export const resnext50 = (options: ArchitectureOptions = {}): Network =>
  resnet('resnext50_32x4d', { ...options, block: 'bottleneck', depths: [3, 4, 6, 3], groups: 32, widthPerGroup: 4 });

/** Bottlenecks of twice as many channels. */
export const wideResnet50 = (options: ArchitectureOptions = {}): Network =>
  resnet('wide_resnet50_2', { ...options, block: 'bottleneck', depths: [3, 4, 6, 3], widthPerGroup: 128 });
