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

/** Two 3x3 convolutions and a shortcut, which is a strided 1x1 convolution where the shape changes (figure 2, option B). */
function basicBlock(
  b: NetworkBuilder,
  name: string,
  { channels, out, stride }: { channels: number; out: number; stride: number },
): void {
  const input = b.last;
  b.conv(`${name}.conv1`, { out, kernel: 3, stride, padding: 1 });
  b.batchNorm(`${name}.bn1`);
  b.activation(`${name}.relu1`);
  b.conv(`${name}.conv2`, { out, kernel: 3, padding: 1 });
  const residual = b.batchNorm(`${name}.bn2`);
  let shortcut = input;
  if (stride !== 1 || channels !== out) {
    b.conv(`${name}.downsample.0`, { out, kernel: 1, stride }, input);
    shortcut = b.batchNorm(`${name}.downsample.1`);
  }
  b.add(`${name}.add`, residual, shortcut);
  b.activation(`${name}.relu2`);
}

/** A ResNet of basic blocks; `depths` are the blocks of each stage. */
function resnet(architecture: string, depths: readonly number[], options: ResnetOptions): Network {
  const { inputSize = 224, classes = 1000 } = options;
  const b = new NetworkBuilder(architecture, imagenetPreprocessing(inputSize, inputSize));
  b.conv('conv1', { out: 64, kernel: 7, stride: 2, padding: 3 });
  b.batchNorm('bn1');
  b.activation('relu');
  b.maxPool('maxpool', { kernel: 3, stride: 2, padding: 1 });
  let channels = 64;
  STAGE_CHANNELS.forEach((out, stage) => {
    for (let block = 0; block < (depths[stage] as number); block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      basicBlock(b, `layer${stage + 1}.${block}`, { channels, out, stride });
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
export const resnet18 = (options: ResnetOptions = {}): Network => resnet('resnet18', [2, 2, 2, 2], options);

/** ResNet-34 of the same paper; torchvision's `resnet34`. */
export const resnet34 = (options: ResnetOptions = {}): Network => resnet('resnet34', [3, 4, 6, 3], options);
