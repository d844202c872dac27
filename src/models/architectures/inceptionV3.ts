import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { symmetricPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface InceptionV3Options extends ArchitectureOptions {
  /** Rate of the dropout in front of the classifier. */
  readonly dropout?: number;
}

/** Also the least that leaves something to the kernels of the auxiliary head. */
const USUAL_SIDE = 299;
/** TensorFlow's epsilon, with which the published weights were trained. */
const BATCH_NORM = { epsilon: 1e-3 } as const;
/** The weight in torchvision's reference training. */
const AUXILIARY_WEIGHT = 0.4;

type Kernel = number | readonly [height: number, width: number];
/** `padding` true keeps the map's size. */
type Sizes = readonly [name: string, out: number, kernel: Kernel, options?: { stride?: number; padding?: boolean }];

const halves = (kernel: Kernel): Kernel =>
  typeof kernel === 'number' ? (kernel - 1) / 2 : [(kernel[0] - 1) / 2, (kernel[1] - 1) / 2];

const SAME = { padding: true } as const;
const HALVED = { stride: 2 } as const;
const ROW = [1, 7] as const;
const COLUMN = [7, 1] as const;

function convBnRelu(b: NetworkBuilder, [name, out, kernel, options]: Sizes, input = b.last): string {
  const { stride = 1, padding = false } = options ?? {};
  b.conv(`${name}.conv`, { out, kernel, stride, padding: padding ? halves(kernel) : 0 }, input);
  b.batchNorm(`${name}.bn`, BATCH_NORM);
  return b.activation(`${name}.relu`);
}

/** A module: ways side by side that read one map, each a chain of convolutions, joined along channels. */
class Module {
  private readonly input: string;
  private readonly outputs: string[] = [];

  constructor(
    private readonly b: NetworkBuilder,
    private readonly name: string,
  ) {
    this.input = b.last;
  }

  private part([name, ...rest]: Sizes, input?: string): string {
    return convBnRelu(this.b, [`${this.name}.${name}`, ...rest], input);
  }

  branch(first: Sizes, ...rest: readonly Sizes[]): this {
    let last = this.part(first, this.input);
    for (const sizes of rest) last = this.part(sizes);
    this.outputs.push(last);
    return this;
  }

  /** Like `branch`, but the last step are a row and a column kernel side by side (paper, figure 7). */
  fork(stem: readonly [Sizes, ...Sizes[]], [row, column]: readonly [Sizes, Sizes]): this {
    let last = this.part(stem[0], this.input);
    for (const sizes of stem.slice(1)) last = this.part(sizes);
    this.outputs.push(this.part(row, last), this.part(column, last));
    return this;
  }

  averagePooled(out: number): this {
    const pooled = this.b.averagePool(`${this.name}.pool`, { kernel: 3, stride: 1, padding: 1 }, this.input);
    this.outputs.push(this.part(['branch_pool', out, 1], pooled));
    return this;
  }

  maxPooled(): this {
    this.outputs.push(this.b.maxPool(`${this.name}.pool`, { kernel: 3, stride: 2 }, this.input));
    return this;
  }

  join(): void {
    this.b.concat(this.name, ...this.outputs);
  }
}

/** Figure 5: 5x5 and double 3x3. */
function moduleA(b: NetworkBuilder, name: string, poolChannels: number): void {
  new Module(b, name)
    .branch(['branch1x1', 64, 1])
    .branch(['branch5x5_1', 48, 1], ['branch5x5_2', 64, 5, SAME])
    .branch(['branch3x3dbl_1', 64, 1], ['branch3x3dbl_2', 96, 3, SAME], ['branch3x3dbl_3', 96, 3, SAME])
    .averagePooled(poolChannels)
    .join();
}

/** Figure 10: halves the map, 35 to 17. */
function moduleB(b: NetworkBuilder, name: string): void {
  new Module(b, name)
    .branch(['branch3x3', 384, 3, HALVED])
    .branch(['branch3x3dbl_1', 64, 1], ['branch3x3dbl_2', 96, 3, SAME], ['branch3x3dbl_3', 96, 3, HALVED])
    .maxPooled()
    .join();
}

/** Figure 6, n = 7: 7x7 as rows and columns; `channels` in between. */
function moduleC(b: NetworkBuilder, name: string, channels: number): void {
  new Module(b, name)
    .branch(['branch1x1', 192, 1])
    .branch(['branch7x7_1', channels, 1], ['branch7x7_2', channels, ROW, SAME], ['branch7x7_3', 192, COLUMN, SAME])
    .branch(
      ['branch7x7dbl_1', channels, 1],
      ['branch7x7dbl_2', channels, COLUMN, SAME],
      ['branch7x7dbl_3', channels, ROW, SAME],
      ['branch7x7dbl_4', channels, COLUMN, SAME],
      ['branch7x7dbl_5', 192, ROW, SAME],
    )
    .averagePooled(192)
    .join();
}

/** Halves the map, 17 to 8. */
function moduleD(b: NetworkBuilder, name: string): void {
  new Module(b, name)
    .branch(['branch3x3_1', 192, 1], ['branch3x3_2', 320, 3, HALVED])
    .branch(
      ['branch7x7x3_1', 192, 1],
      ['branch7x7x3_2', 192, ROW, SAME],
      ['branch7x7x3_3', 192, COLUMN, SAME],
      ['branch7x7x3_4', 192, 3, HALVED],
    )
    .maxPooled()
    .join();
}

/** Figure 7: the widest modules, on the smallest maps. */
function moduleE(b: NetworkBuilder, name: string): void {
  new Module(b, name)
    .branch(['branch1x1', 320, 1])
    .fork(
      [['branch3x3_1', 384, 1]],
      [
        ['branch3x3_2a', 384, [1, 3], SAME],
        ['branch3x3_2b', 384, [3, 1], SAME],
      ],
    )
    .fork(
      [
        ['branch3x3dbl_1', 448, 1],
        ['branch3x3dbl_2', 384, 3, SAME],
      ],
      [
        ['branch3x3dbl_3a', 384, [1, 3], SAME],
        ['branch3x3dbl_3b', 384, [3, 1], SAME],
      ],
    )
    .averagePooled(192)
    .join();
}

/** The classifier on the last 17 x 17 map (figure 8). */
function auxiliaryHead(b: NetworkBuilder, classes: number): void {
  const input = b.last;
  b.averagePool('AuxLogits.pool', { kernel: 5, stride: 3 });
  convBnRelu(b, ['AuxLogits.conv0', 128, 1]);
  convBnRelu(b, ['AuxLogits.conv1', 768, 5]);
  b.globalAveragePool('AuxLogits.avgpool');
  b.dense('AuxLogits.fc', classes);
  b.auxiliary(AUXILIARY_WEIGHT);
  b.last = input;
}

/**
 * Inception-v3: Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception Architecture for Computer Vision", CVPR
 * 2016 (arXiv 1512.00567). Names and sizes are those of torchvision's `inception_v3`. The published weights take x / 255 in
 * [-1, 1]; torchvision has them do with its usual preset by a change of scale inside the network (`transform_input`), which
 * here is the preprocessing.
 */
export function inceptionV3(options: InceptionV3Options = {}): Network {
  const { classes = 1000, inChannels, dropout = 0.5 } = options;
  const size = sides(options, USUAL_SIDE);
  const { auxiliaryHeads = Math.min(...size) >= USUAL_SIDE } = options;
  const b = new NetworkBuilder('inception_v3', symmetricPreprocessing(...size), inChannels);
  convBnRelu(b, ['Conv2d_1a_3x3', 32, 3, HALVED]);
  convBnRelu(b, ['Conv2d_2a_3x3', 32, 3]);
  convBnRelu(b, ['Conv2d_2b_3x3', 64, 3, SAME]);
  b.maxPool('maxpool1', { kernel: 3, stride: 2 });
  convBnRelu(b, ['Conv2d_3b_1x1', 80, 1]);
  convBnRelu(b, ['Conv2d_4a_3x3', 192, 3]);
  b.maxPool('maxpool2', { kernel: 3, stride: 2 });
  moduleA(b, 'Mixed_5b', 32);
  moduleA(b, 'Mixed_5c', 64);
  moduleA(b, 'Mixed_5d', 64);
  moduleB(b, 'Mixed_6a');
  moduleC(b, 'Mixed_6b', 128);
  moduleC(b, 'Mixed_6c', 160);
  moduleC(b, 'Mixed_6d', 160);
  moduleC(b, 'Mixed_6e', 192);
  if (auxiliaryHeads) auxiliaryHead(b, classes);
  moduleD(b, 'Mixed_7a');
  moduleE(b, 'Mixed_7b');
  moduleE(b, 'Mixed_7c');
  b.globalAveragePool('avgpool');
  b.dropout('dropout', dropout);
  b.dense('fc', classes);
  return b.build();
}
