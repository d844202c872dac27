import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { makeDivisible } from './divisible.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface MobilenetV2Options extends ArchitectureOptions {
  /** Width multiplier: 1 is the paper's network. */
  readonly width?: number;
}

/** Sandler et al. 2018, table 2: expansion t, channels c, repetitions n, stride s of the first repetition. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

function convBnRelu6(
  b: NetworkBuilder,
  name: string,
  options: { out: number; kernel: number; stride?: number; groups?: number },
): void {
  b.conv(`${name}.0`, { ...options, padding: (options.kernel - 1) / 2 });
  b.batchNorm(`${name}.1`);
  b.activation(`${name}.2`, 'relu6');
}

/** Expand with 1x1, filter by depth with 3x3, project with a linear 1x1; add the input where shapes agree (figure 3d). */
function invertedResidual(
  b: NetworkBuilder,
  name: string,
  { channels, out, stride, expansion }: { channels: number; out: number; stride: number; expansion: number },
): void {
  const input = b.last;
  const hidden = channels * expansion;
  let part = 0;
  if (expansion !== 1) convBnRelu6(b, `${name}.conv.${part++}`, { out: hidden, kernel: 1 });
  convBnRelu6(b, `${name}.conv.${part++}`, { out: hidden, kernel: 3, stride, groups: hidden });
  b.conv(`${name}.conv.${part++}`, { out, kernel: 1 });
  const projected = b.batchNorm(`${name}.conv.${part}`);
  if (stride === 1 && channels === out) b.add(`${name}.add`, input, projected);
}

/**
 * MobileNet-v2: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR
 * 2018 (arXiv 1801.04381). Names and sizes are those of torchvision's `mobilenet_v2`.
 */
export function mobilenetV2(options: MobilenetV2Options = {}): Network {
  const { width = 1, classes = 1000, inChannels } = options;
  const b = new NetworkBuilder('mobilenet_v2', imagenetPreprocessing(...sides(options)), inChannels);
  let channels = makeDivisible(32 * width);
  let index = 0;
  convBnRelu6(b, `features.${index++}`, { out: channels, kernel: 3, stride: 2 });
  for (const [expansion, stageChannels, repetitions, firstStride] of STAGES) {
    const out = makeDivisible(stageChannels * width);
    for (let repetition = 0; repetition < repetitions; repetition++) {
      const stride = repetition === 0 ? firstStride : 1;
      invertedResidual(b, `features.${index++}`, { channels, out, stride, expansion });
      channels = out;
    }
  }
  convBnRelu6(b, `features.${index}`, { out: makeDivisible(1280 * Math.max(1, width)), kernel: 1 });
  b.globalAveragePool('pool');
  b.dropout('classifier.0', 0.2);
  b.dense('classifier.1', classes);
  return b.build();
}
