import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';

export interface ResnetOptions {
  /** Side of the square input in pixels. */
  readonly inputSize?: number;
  readonly classes?: number;
}

/** Channels of the four stages (He et al. 2016, table 1). */
const STAGE_CHANNELS = [64, 128, 256, 512] as const;

interface BlockSizes {
  readonly channels: number;
  readonly out: number;
  readonly stride: number;
}

/** The block's input, through a strided 1x1 convolution where the shape changes (option B). */
function shortcut(b: NetworkBuilder, name: string, input: string, { channels, out, stride }: BlockSizes): string {
  if (stride === 1 && channels === out) return input;
  b.conv(`${name}.downsample.0`, { out, kernel: 1, stride }, input);
  return b.batchNorm(`${name}.downsample.1`);
}

/** Two 3x3 convolutions and a shortcut (figure 2). */
function basicBlock(b: NetworkBuilder, name: string, { channels, out, stride }: BlockSizes): void {
  const input = b.last;
  b.conv(`${name}.conv1`, { out, kernel: 3, stride, padding: 1 });
  b.batchNorm(`${name}.bn1`);
  b.activation(`${name}.relu1`);
  b.conv(`${name}.conv2`, { out, kernel: 3, padding: 1 });
  const residual = b.batchNorm(`${name}.bn2`);
  b.add(`${name}.add`, residual, shortcut(b, name, input, { channels, out, stride }));
  b.activation(`${name}.relu2`);
}

/** How many times as many channels leave a bottleneck block as its 3x3 convolution has. */
const EXPANSION = 4;

/**
 * A 1x1, a 3x3 and a 1x1 convolution and a shortcut as in the basic block (figure 5, right). The stride is the 3x3's, as in
 * torchvision ("ResNet v1.5"); the paper has it in the first 1x1.
 */
function bottleneckBlock(b: NetworkBuilder, name: string, { channels, out, stride }: BlockSizes): void {
  const input = b.last;
  b.conv(`${name}.conv1`, { out: out / EXPANSION, kernel: 1 });
  b.batchNorm(`${name}.bn1`);
  b.activation(`${name}.relu1`);
  b.conv(`${name}.conv2`, { out: out / EXPANSION, kernel: 3, stride, padding: 1 });
  b.batchNorm(`${name}.bn2`);
  b.activation(`${name}.relu2`);
  b.conv(`${name}.conv3`, { out, kernel: 1 });
  const residual = b.batchNorm(`${name}.bn3`);
  b.add(`${name}.add`, residual, shortcut(b, name, input, { channels, out, stride }));
  b.activation(`${name}.relu3`);
}

/** A ResNet; `depths` are the blocks of each stage. */
function resnet(
  architecture: string,
  block: 'basic' | 'bottleneck',
  depths: readonly number[],
  options: ResnetOptions,
): Network {
  const { inputSize = 224, classes = 1000 } = options;
  const b = new NetworkBuilder(architecture, imagenetPreprocessing(inputSize, inputSize));
  b.conv('conv1', { out: 64, kernel: 7, stride: 2, padding: 3 });
  b.batchNorm('bn1');
  b.activation('relu');
  b.maxPool('maxpool', { kernel: 3, stride: 2, padding: 1 });
  let channels = 64;
  const [addBlock, expansion] = block === 'basic' ? [basicBlock, 1] : [bottleneckBlock, EXPANSION];
  STAGE_CHANNELS.forEach((stageChannels, stage) => {
    const out = stageChannels * expansion;
    for (let index = 0; index < (depths[stage] as number); index++) {
      const stride = stage > 0 && index === 0 ? 2 : 1;
      addBlock(b, `layer${stage + 1}.${index}`, { channels, out, stride });
      channels = out;
    }
  });
  b.globalAveragePool('avgpool');
  b.dense('fc', classes);
  return b.build();
}

/**
 * ResNet-18: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv 1512.03385). Names
 * and sizes are those of torchvision's `resnet18`.
 */
export const resnet18 = (options: ResnetOptions = {}): Network => resnet('resnet18', 'basic', [2, 2, 2, 2], options);

/** ResNet-34 of the same paper; torchvision's `resnet34`. */
export const resnet34 = (options: ResnetOptions = {}): Network => resnet('resnet34', 'basic', [3, 4, 6, 3], options);

/** ResNet-50 of the same paper, of bottleneck blocks; torchvision's `resnet50`. */
export const resnet50 = (options: ResnetOptions = {}): Network =>
  resnet('resnet50', 'bottleneck', [3, 4, 6, 3], options);
