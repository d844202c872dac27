import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface ConvnextOptions extends ArchitectureOptions {
  /** Channels and blocks of the four stages; ConvNeXt-Tiny's without. */
  readonly stages?: readonly (readonly [channels: number, blocks: number])[];
  /** Rate at which the last residual branch is left out while training; those before it less often, down to 0. */
  readonly stochasticDepth?: number;
}

/** Liu et al. 2022, section 3: ConvNeXt-T. */
const TINY = [
  [96, 3],
  [192, 3],
  [384, 9],
  [768, 3],
] as const;
/** How many times as many channels there are in the middle of a block. */
const EXPANSION = 4;
const LAYER_NORM = { epsilon: 1e-6 } as const;
/** What the scale of a residual branch begins with (appendix A.1). */
const LAYER_SCALE = 1e-6;

/** 7x7 by depth, then two dense layers at each pixel, scaled by channel (figure 4, right). */
function block(b: NetworkBuilder, name: string, channels: number, dropRate: number): void {
  const input = b.last;
  b.conv(`${name}.block.0`, { out: channels, kernel: 7, padding: 3, groups: channels, bias: true });
  b.channelNorm(`${name}.block.2`, LAYER_NORM);
  b.dense2d(`${name}.block.3`, EXPANSION * channels);
  b.activation(`${name}.block.4`, 'gelu');
  const branch = b.dense2d(`${name}.block.5`, channels);
  const scale = b.parameter(`${name}.layer_scale`, [channels, 1, 1], LAYER_SCALE);
  b.multiply(`${name}.scaled`, scale, branch);
  if (dropRate > 0) b.stochasticDepth(`${name}.stochastic_depth`, dropRate);
  b.add(name, b.last, input);
}

/**
 * ConvNeXt: Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s", CVPR 2022 (arXiv 2201.03545); by default
 * ConvNeXt-Tiny. Names and sizes are those of torchvision's `convnext_tiny`. While it trains, residual branches are left out at
 * random (Huang et al. 2016).
 */
export function convnext(options: ConvnextOptions = {}): Network {
  const { stages = TINY, classes = 1000, inChannels, stochasticDepth = 0.1 } = options;
  const preprocessing = { ...imagenetPreprocessing(...sides(options)), cropFraction: 224 / 236 };
  const b = new NetworkBuilder(stages === TINY ? 'convnext_tiny' : 'convnext', preprocessing, inChannels);
  const total = stages.reduce((sum, [, blocks]) => sum + blocks, 0);
  let done = 0;
  let index = 0;
  stages.forEach(([channels, blocks], stage) => {
    const name = `features.${index++}`;
    if (stage === 0) {
      b.conv(`${name}.0`, { out: channels, kernel: 4, stride: 4, bias: true });
      b.channelNorm(`${name}.1`, LAYER_NORM);
    } else {
      b.channelNorm(`${name}.0`, LAYER_NORM);
      b.conv(`${name}.1`, { out: channels, kernel: 2, stride: 2, bias: true });
    }
    const rest = `features.${index++}`;
    for (let n = 0; n < blocks; n++) block(b, `${rest}.${n}`, channels, (stochasticDepth * done++) / (total - 1));
  });
  b.globalAveragePool('avgpool');
  b.channelNorm('classifier.0', LAYER_NORM);
  b.dense('classifier.2', classes);
  return b.build();
}
