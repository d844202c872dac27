import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

type Version = '1.0' | '1.1';

export interface SqueezenetOptions extends ArchitectureOptions {
  readonly version: Version;
}

/** Channels of a fire module: squeeze 1x1, and each of the two expansions. */
type Fire = readonly [squeeze: number, expand: number];

/** First convolution, and the fire modules between the three max poolings (paper, table 1; 1.1: the authors' repository). */
const VERSIONS: Readonly<
  Record<Version, { stem: { out: number; kernel: number }; stages: readonly (readonly Fire[])[] }>
> = {
  '1.0': {
    stem: { out: 96, kernel: 7 },
    stages: [
      [
        [16, 64],
        [16, 64],
        [32, 128],
      ],
      [
        [32, 128],
        [48, 192],
        [48, 192],
        [64, 256],
      ],
      [[64, 256]],
    ],
  },
  '1.1': {
    stem: { out: 64, kernel: 3 },
    stages: [
      [
        [16, 64],
        [16, 64],
      ],
      [
        [32, 128],
        [32, 128],
      ],
      [
        [48, 192],
        [48, 192],
        [64, 256],
        [64, 256],
      ],
    ],
  },
};

/** Squeeze to few channels with 1x1, expand with 1x1 and 3x3 side by side (paper, figure 1). */
function fire(b: NetworkBuilder, name: string, [squeeze, expand]: Fire): void {
  b.conv(`${name}.squeeze`, { out: squeeze, kernel: 1, bias: true });
  const squeezed = b.activation(`${name}.squeeze_activation`);
  b.conv(`${name}.expand1x1`, { out: expand, kernel: 1, bias: true }, squeezed);
  const narrow = b.activation(`${name}.expand1x1_activation`);
  b.conv(`${name}.expand3x3`, { out: expand, kernel: 3, padding: 1, bias: true }, squeezed);
  const wide = b.activation(`${name}.expand3x3_activation`);
  b.concat(`${name}.concat`, narrow, wide);
}

/**
 * SqueezeNet: Iandola, Han, Moskewicz, Ashraf, Dally and Keutzer, "SqueezeNet: AlexNet-level accuracy with 50x fewer
 * parameters and <0.5MB model size", 2016 (arXiv 1602.07360). Names and sizes are those of torchvision's `squeezenet1_0`
 * and `squeezenet1_1`; pooling rounds up, and the classifier is a convolution followed by ReLU and global pooling.
 */
export function squeezenet(options: SqueezenetOptions): Network {
  const { version, classes = 1000, inChannels } = options;
  const { stem, stages } = VERSIONS[version];
  const architecture = `squeezenet${version.replace('.', '_')}`;
  const b = new NetworkBuilder(architecture, imagenetPreprocessing(...sides(options)), inChannels);
  b.conv('features.0', { ...stem, stride: 2, bias: true });
  b.activation('features.1');
  let index = 2;
  for (const stage of stages) {
    b.maxPool(`features.${index++}`, { kernel: 3, stride: 2, ceilMode: true });
    for (const channels of stage) fire(b, `features.${index++}`, channels);
  }
  b.dropout('classifier.0', 0.5);
  b.conv('classifier.1', { out: classes, kernel: 1, bias: true });
  b.activation('classifier.2');
  b.globalAveragePool('classifier.3');
  return b.build();
}
