import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { roundHalfEven } from '../rounding.js';
import { type ArchitectureOptions, sides } from './options.js';
import { squeezeExcitation } from './squeezeExcitation.js';

/** The few numbers that say a RegNet (Radosavovic et al. 2020, section 3.3 and appendix B). */
export interface RegnetParameters {
  /** Blocks in all. */
  readonly depth: number;
  /** Width of the first block, a multiple of 8, and what each block adds to it before rounding: w_0 and w_a. */
  readonly initialWidth: number;
  readonly slope: number;
  /** Widths are rounded to `initialWidth` times a power of this: w_m, above 1. */
  readonly quantization: number;
  /** Channels of a group of the 3x3 convolutions. */
  readonly groupWidth: number;
}

export interface RegnetOptions extends ArchitectureOptions {
  readonly parameters?: RegnetParameters;
}

/** RegNetY-400MF (table 9). */
const Y_400MF: RegnetParameters = { depth: 16, initialWidth: 48, slope: 27.89, quantization: 2.09, groupWidth: 8 };

const STEM = 32;
/** Squeezed channels as a share of the block's input channels. */
const SQUEEZE = 0.25;

/** Width and depth of each stage (equations 2 to 4): blocks of one width are a stage. */
function stagesOf({ depth, initialWidth, slope, quantization, groupWidth }: RegnetParameters) {
  const stages: { width: number; blocks: number }[] = [];
  for (let block = 0; block < depth; block++) {
    const power = roundHalfEven(Math.log((initialWidth + slope * block) / initialWidth) / Math.log(quantization));
    const width = 8 * roundHalfEven((initialWidth * quantization ** power) / 8);
    const stage = stages.at(-1);
    if (stage?.width === width) stage.blocks++;
    else stages.push({ width, blocks: 1 });
  }
  // Groups have to fit.
  return stages.map(({ width, blocks }) => {
    const group = Math.min(groupWidth, width);
    return { width: Math.max(group, Math.round(width / group) * group), group, blocks };
  });
}

interface Block {
  readonly channels: number;
  readonly width: number;
  readonly group: number;
  readonly stride: number;
}

function convBn(b: NetworkBuilder, name: string, sizes: Parameters<NetworkBuilder['conv']>[1], input = b.last): string {
  b.conv(`${name}.0`, sizes, input);
  return b.batchNorm(`${name}.1`);
}

/** ResNet's bottleneck without a narrower middle, its 3x3 convolution in groups, with squeeze-and-excitation (figure 4 and Y). */
function block(b: NetworkBuilder, name: string, { channels, width, group, stride }: Block): void {
  const input = b.last;
  const isSame = stride === 1 && channels === width;
  const shortcut = isSame ? input : convBn(b, `${name}.proj`, { out: width, kernel: 1, stride });
  convBn(b, `${name}.f.a`, { out: width, kernel: 1 }, input);
  b.activation(`${name}.f.a.2`);
  convBn(b, `${name}.f.b`, { out: width, kernel: 3, stride, padding: 1, groups: width / group });
  b.activation(`${name}.f.b.2`);
  const squeezed = roundHalfEven(SQUEEZE * channels);
  squeezeExcitation(b, `${name}.f.se`, { channels: width, squeezed, activation: 'relu', gate: 'sigmoid' });
  const residual = convBn(b, `${name}.f.c`, { out: width, kernel: 1 });
  b.add(`${name}.add`, shortcut, residual);
  b.activation(`${name}.activation`);
}

/**
 * RegNetY: Radosavovic, Kosaraju, Girshick, He and Dollar, "Designing Network Design Spaces", CVPR 2020 (arXiv 2003.13678); by
 * default RegNetY-400MF. Names and sizes are those of torchvision's `regnet_y_400mf`.
 */
export function regnetY(options: RegnetOptions = {}): Network {
  const { parameters = Y_400MF, classes = 1000, inChannels } = options;
  const name = parameters === Y_400MF ? 'regnet_y_400mf' : 'regnet_y';
  const b = new NetworkBuilder(name, imagenetPreprocessing(...sides(options)), inChannels);
  let channels = STEM;
  convBn(b, 'stem', { out: channels, kernel: 3, stride: 2, padding: 1 });
  b.activation('stem.2');
  stagesOf(parameters).forEach(({ width, group, blocks }, index) => {
    const stage = index + 1;
    for (let n = 0; n < blocks; n++) {
      const stride = n === 0 ? 2 : 1;
      block(b, `trunk_output.block${stage}.block${stage}-${n}`, { channels, width, group, stride });
      channels = width;
    }
  });
  b.globalAveragePool('avgpool');
  b.dense('fc', classes);
  return b.build();
}
