import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { makeDivisible } from './divisible.js';
import { type ArchitectureOptions, sides } from './options.js';
import { squeezeExcitation } from './squeezeExcitation.js';

export type EfficientnetVariant = 'b0' | 'b1' | 'b2' | 'b3';

export interface EfficientnetOptions extends ArchitectureOptions {
  readonly variant: EfficientnetVariant;
  /** Rate of the dropout in front of the classifier; without, the variant's. */
  readonly dropout?: number;
  /** Rate at which the last residual branch is left out while training; those before it less often, down to 0. */
  readonly stochasticDepth?: number;
}

/** Width, depth and resolution by which B0 is scaled (Tan and Le 2019, section 3.3; the authors' code), and the dropout. */
const VARIANTS: Readonly<
  Record<EfficientnetVariant, { width: number; depth: number; side: number; resize: number; dropout: number }>
> = {
  b0: { width: 1, depth: 1, side: 224, resize: 256, dropout: 0.2 },
  b1: { width: 1, depth: 1.1, side: 240, resize: 256, dropout: 0.2 },
  b2: { width: 1.1, depth: 1.2, side: 288, resize: 288, dropout: 0.3 },
  b3: { width: 1.2, depth: 1.4, side: 300, resize: 320, dropout: 0.3 },
};

/** Expansion, kernel, stride of the first block, channels and blocks of B0 (table 1). */
const STAGES = [
  [1, 3, 1, 16, 1],
  [6, 3, 2, 24, 2],
  [6, 5, 2, 40, 2],
  [6, 3, 2, 80, 3],
  [6, 5, 1, 112, 3],
  [6, 5, 2, 192, 4],
  [6, 3, 1, 320, 1],
] as const;
const STEM = 32;
/** How many times as many channels the last convolution has as the last block. */
const LAST_EXPANSION = 4;

export const efficientnetSide = (variant: EfficientnetVariant): number => VARIANTS[variant].side;

type Sizes = { out: number; kernel: number; stride?: number; groups?: number };

function convBnSilu(b: NetworkBuilder, name: string, sizes: Sizes): void {
  b.conv(`${name}.0`, { ...sizes, padding: (sizes.kernel - 1) / 2 });
  b.batchNorm(`${name}.1`);
  b.activation(`${name}.2`, 'silu');
}

interface Block {
  readonly channels: number;
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
  readonly expansion: number;
  readonly dropRate: number;
}

/** MobileNet-v2's inverted residual with squeeze-and-excitation and SiLU (MBConv). */
function block(b: NetworkBuilder, name: string, sizes: Block): void {
  const { channels, out, kernel, stride, expansion, dropRate } = sizes;
  const input = b.last;
  const expanded = makeDivisible(channels * expansion);
  let part = 0;
  const next = () => `${name}.block.${part++}`;
  if (expanded !== channels) convBnSilu(b, next(), { out: expanded, kernel: 1 });
  convBnSilu(b, next(), { out: expanded, kernel, stride, groups: expanded });
  const squeezed = Math.max(1, Math.floor(channels / 4));
  squeezeExcitation(b, next(), { channels: expanded, squeezed, activation: 'silu', gate: 'sigmoid' });
  const project = next();
  b.conv(`${project}.0`, { out, kernel: 1 });
  b.batchNorm(`${project}.1`);
  if (stride !== 1 || channels !== out) return;
  if (dropRate > 0) b.stochasticDepth(`${name}.stochastic_depth`, dropRate);
  b.add(`${name}.add`, b.last, input);
}

/**
 * EfficientNet-B0 to B3: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019 (arXiv
 * 1905.11946). Names and sizes are those of torchvision's `efficientnet_b0` to `efficientnet_b3`; the pictures are resized
 * bicubically, as its weights want it. While it trains, residual branches are left out at random (Huang et al. 2016).
 */
export function efficientnet(options: EfficientnetOptions): Network {
  const { variant, classes = 1000, inChannels, stochasticDepth = 0.2 } = options;
  const { width, depth, side, resize, dropout } = VARIANTS[variant];
  const size = sides(options, side);
  const preprocessing = {
    ...imagenetPreprocessing(...size),
    cropFraction: side / resize,
    interpolation: 'cubic',
  } as const;
  const b = new NetworkBuilder(`efficientnet_${variant}`, preprocessing, inChannels);
  const stages = STAGES.map(([expansion, kernel, stride, out, blocks]) => ({
    expansion,
    kernel,
    stride,
    out: makeDivisible(out * width),
    blocks: Math.ceil(blocks * depth),
  }));
  const total = stages.reduce((sum, { blocks }) => sum + blocks, 0);
  let channels = makeDivisible(STEM * width);
  let done = 0;
  convBnSilu(b, 'features.0', { out: channels, kernel: 3, stride: 2 });
  stages.forEach(({ expansion, kernel, stride, out, blocks }, stage) => {
    for (let n = 0; n < blocks; n++) {
      const dropRate = (stochasticDepth * done++) / total;
      const sizes = { channels, out, kernel, stride: n === 0 ? stride : 1, expansion, dropRate };
      block(b, `features.${stage + 1}.${n}`, sizes);
      channels = out;
    }
  });
  convBnSilu(b, `features.${stages.length + 1}`, { out: LAST_EXPANSION * channels, kernel: 1 });
  b.globalAveragePool('avgpool');
  b.dropout('classifier.0', options.dropout ?? dropout);
  b.dense('classifier.1', classes);
  return b.build();
}
