import { LIMITS } from './limits.js';
import type { Activation, AuxiliaryOutput, Layer, Network, Preprocessing } from './network.js';
import { withChannels } from './preprocessing.js';

/** One number for both axes, or [height, width]. */
export type Size = number | readonly [height: number, width: number];

export interface ConvolutionOptions {
  readonly out: number;
  readonly kernel: Size;
  readonly stride?: Size;
  /** On both sides of an axis. */
  readonly padding?: Size;
  readonly dilation?: Size;
  readonly groups?: number;
  readonly bias?: boolean;
}

export interface PoolOptions {
  readonly kernel: Size;
  readonly stride: Size;
  readonly padding?: Size;
  readonly ceilMode?: boolean;
}

/** PyTorch's defaults for BatchNorm2d. */
const BATCH_NORM = { epsilon: 1e-5, momentum: 0.1 } as const;

const pair = (size: Size): readonly [number, number] => (typeof size === 'number' ? [size, size] : size);

function around(size: Size) {
  const [vertical, horizontal] = pair(size);
  return { top: vertical, left: horizontal, bottom: vertical, right: horizontal };
}

const affine = (name: string, bias: boolean) => ({ weight: `${name}.weight`, bias: bias ? `${name}.bias` : null });

/**
 * Writes a network down layer by layer. Each method appends one layer that reads `last`, the layer before, unless told
 * otherwise, and returns its name. Weights are called `<layer>.weight` and so on, as in PyTorch.
 */
export class NetworkBuilder {
  private readonly layers: Layer[] = [];
  private readonly auxiliaryOutputs: AuxiliaryOutput[] = [];
  private readonly preprocessing: Preprocessing;
  last: string;

  constructor(
    private readonly architecture: string,
    preprocessing: Preprocessing,
    inChannels = 3,
  ) {
    this.preprocessing = withChannels(preprocessing, inChannels);
    this.last = 'input';
    this.layers.push({
      kind: 'input',
      name: 'input',
      inputs: [],
      learningRateFactor: 1,
      shape: [inChannels, preprocessing.height, preprocessing.width],
      batched: true,
      type: 'float32',
    });
  }

  private push(layer: Layer): string {
    this.layers.push(layer);
    this.last = layer.name;
    return layer.name;
  }

  private base(name: string, ...inputs: readonly string[]) {
    return { name, inputs, learningRateFactor: 1 };
  }

  conv(name: string, options: ConvolutionOptions, input = this.last): string {
    const { out, kernel, stride = 1, padding = 0, dilation = 1, groups = 1, bias = false } = options;
    return this.push({
      ...this.base(name, input),
      kind: 'conv2d',
      outChannels: out,
      kernel: pair(kernel),
      stride: pair(stride),
      padding: around(padding),
      dilation: pair(dilation),
      groups,
      ...affine(name, bias),
    });
  }

  batchNorm(name: string, options: { epsilon?: number; momentum?: number } = {}, input = this.last): string {
    return this.push({
      ...this.base(name, input),
      kind: 'batchNorm',
      ...BATCH_NORM,
      ...options,
      weight: `${name}.weight`,
      bias: `${name}.bias`,
      runningMean: `${name}.running_mean`,
      runningVariance: `${name}.running_var`,
    });
  }

  activation(name: string, activation: Activation = 'relu', input = this.last): string {
    return this.push({ ...this.base(name, input), kind: 'activation', activation });
  }

  maxPool(name: string, options: PoolOptions, input = this.last): string {
    return this.push({ ...this.window(name, options, input), kind: 'maxPool', countIncludePad: false });
  }

  /** Padding counts in the mean, as in PyTorch, unless told otherwise. */
  averagePool(name: string, options: PoolOptions & { countIncludePad?: boolean }, input = this.last): string {
    const { countIncludePad = true } = options;
    return this.push({ ...this.window(name, options, input), kind: 'averagePool', countIncludePad });
  }

  private window(name: string, options: PoolOptions, input: string) {
    const { kernel, stride, padding = 0, ceilMode = false } = options;
    return {
      ...this.base(name, input),
      kernel: pair(kernel),
      stride: pair(stride),
      padding: around(padding),
      dilation: pair(1),
      ceilMode,
    };
  }

  /** A vector, or with `flatten: false` a map of one pixel. */
  globalAveragePool(name: string, { flatten = true } = {}, input = this.last): string {
    return this.push({ ...this.base(name, input), kind: 'globalAveragePool', flatten });
  }

  /** Means of windows that share the map out to `size`. */
  adaptiveAveragePool(name: string, size: Size, input = this.last): string {
    return this.push({ ...this.base(name, input), kind: 'adaptiveAveragePool', size: pair(size) });
  }

  flatten(name: string, input = this.last): string {
    return this.push({ ...this.base(name, input), kind: 'flatten', axis: 1 });
  }

  /** Every second pixel of both axes, the first among them. */
  everySecondPixel(name: string, input = this.last): string {
    // Ends behind any map: what is outside is cut off.
    const ends = [LIMITS.side, LIMITS.side];
    return this.push({ ...this.base(name, input), kind: 'slice', axes: [2, 3], starts: [0, 0], ends, steps: [2, 2] });
  }

  /** As many channels of zeros in front as behind. */
  padChannels(name: string, count: number, input = this.last): string {
    const range = { axes: [1], before: [count], after: [count] };
    return this.push({ ...this.base(name, input), kind: 'pad', ...range, mode: 'constant', value: 0 });
  }

  add(name: string, ...inputs: readonly string[]): string {
    return this.push({ ...this.base(name, ...inputs), kind: 'add' });
  }

  concat(name: string, ...inputs: readonly string[]): string {
    return this.push({ ...this.base(name, ...inputs), kind: 'concat', axis: 1 });
  }

  /** Product, element by element; sizes of 1 repeat. */
  multiply(name: string, x: string, y: string): string {
    return this.push({ ...this.base(name, x, y), kind: 'binary', operator: 'mul' });
  }

  /** Channels `from` to `to`, without it. */
  channels(name: string, from: number, to: number, input = this.last): string {
    const range = { axes: [1], starts: [from], ends: [to], steps: [1] };
    return this.push({ ...this.base(name, input), kind: 'slice', ...range });
  }

  channelShuffle(name: string, groups: number, input = this.last): string {
    return this.push({ ...this.base(name, input), kind: 'channelShuffle', groups });
  }

  /** A tensor of the weights, called `name` there, which begins with one value everywhere. */
  parameter(name: string, shape: readonly number[], initial: number): string {
    return this.push({ ...this.base(name), kind: 'parameter', shape, weight: name, initial });
  }

  /** Layer norm over channels. */
  channelNorm(name: string, { epsilon = 1e-5 } = {}, input = this.last): string {
    const weights = { weight: `${name}.weight`, bias: `${name}.bias` };
    return this.push({ ...this.base(name, input), kind: 'channelNorm', epsilon, ...weights });
  }

  dropout(name: string, rate: number, input = this.last): string {
    return this.push({ ...this.base(name, input), kind: 'dropout', rate });
  }

  stochasticDepth(name: string, rate: number, input = this.last): string {
    return this.push({ ...this.base(name, input), kind: 'stochasticDepth', rate });
  }

  dense(name: string, outFeatures: number, { bias = true } = {}, input = this.last): string {
    return this.push({ ...this.base(name, input), kind: 'dense', outFeatures, ...affine(name, bias) });
  }

  /** A dense layer at each pixel. */
  dense2d(name: string, outFeatures: number, { bias = true } = {}, input = this.last): string {
    return this.push({ ...this.base(name, input), kind: 'dense2d', outFeatures, ...affine(name, bias) });
  }

  /** Makes a layer's output auxiliary logits, whose loss has the given weight in training. */
  auxiliary(lossWeight: number, layer = this.last): void {
    this.auxiliaryOutputs.push({ layer, lossWeight });
  }

  /** The network whose output is that of the last layer. */
  build(): Network {
    const { architecture, preprocessing, layers, auxiliaryOutputs: auxiliary } = this;
    return { architecture, layers, preprocessing, classes: null, auxiliary };
  }
}
