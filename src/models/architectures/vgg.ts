import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export type VggDepth = 11 | 13 | 16 | 19;

export interface VggOptions extends ArchitectureOptions {
  /** Layers with weights (paper, table 1, columns A, B, D and E). */
  readonly depth: VggDepth;
  /** Batch norm behind each convolution, which the paper does not have yet. */
  readonly batchNorm?: boolean;
  /** Rate of the dropouts behind the two hidden dense layers. */
  readonly dropout?: number;
  /** Units of the two hidden dense layers, which hold most of the parameters. */
  readonly hiddenUnits?: number;
}

/** 3x3 convolutions of each stage; their channels are `STAGE_CHANNELS`. A pooling ends each stage. */
const STAGES: Readonly<Record<VggDepth, readonly number[]>> = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
};
const STAGE_CHANNELS = [64, 128, 256, 512, 512] as const;

/** The side of the map that the dense layers read, whatever the input's. */
const POOLED = 7;

/**
 * VGG: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015 (arXiv
 * 1409.1556). Names and sizes are those of torchvision's `vgg11` to `vgg19` and `vgg11_bn` to `vgg19_bn`.
 */
export function vgg(options: VggOptions): Network {
  const { depth, batchNorm = false, classes = 1000, inChannels, dropout = 0.5, hiddenUnits = 4096 } = options;
  const architecture = `vgg${depth}${batchNorm ? '_bn' : ''}`;
  const b = new NetworkBuilder(architecture, imagenetPreprocessing(...sides(options)), inChannels);
  let index = 0;
  const next = () => `features.${index++}`;
  STAGES[depth].forEach((convolutions, stage) => {
    for (let n = 0; n < convolutions; n++) {
      b.conv(next(), { out: STAGE_CHANNELS[stage] as number, kernel: 3, padding: 1, bias: true });
      if (batchNorm) b.batchNorm(next());
      b.activation(next());
    }
    b.maxPool(next(), { kernel: 2, stride: 2 });
  });
  b.adaptiveAveragePool('avgpool', POOLED);
  b.flatten('flatten');
  for (const [layer, activation, drop] of [
    [0, 1, 2],
    [3, 4, 5],
  ]) {
    b.dense(`classifier.${layer}`, hiddenUnits);
    b.activation(`classifier.${activation}`);
    b.dropout(`classifier.${drop}`, dropout);
  }
  b.dense('classifier.6', classes);
  return b.build();
}
