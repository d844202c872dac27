import { NO_PADDING } from './graph.js';
import type { Activation, Layer, Network, Preprocessing } from './network.js';

export interface ConvolutionOptions {
  readonly out: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  readonly bias?: boolean;
}

/** PyTorch's defaults for BatchNorm2d. */
const BATCH_NORM = { epsilon: 1e-5, momentum: 0.1 } as const;

const same = (size: number): [number, number] => [size, size];
const allSides = (size: number) => ({ top: size, left: size, bottom: size, right: size });

/**
 * Writes a network down layer by layer. Each method appends one layer that reads `last`, the layer before, unless told
 * otherwise, and returns its name. Weights are called `<layer>.weight` and so on, as in PyTorch.
 */
export class NetworkBuilder {
  private readonly layers: Layer[] = [];
  last: string;

  constructor(
    private readonly architecture: string,
    private readonly preprocessing: Preprocessing,
  ) {
    this.last = 'input';
    this.layers.push({
      kind: 'input',
      name: 'input',
      inputs: [],
      learningRateFactor: 1,
      shape: [3, preprocessing.height, preprocessing.width],
      batched: true,
      type: 'float32',
    });
  }

  private push(layer: Layer): string {
    this.layers.push(layer);
    this.last = layer.name;
    return layer.name;
  }

  private base(name: string, inputs: readonly string[] = [this.last]) {
    return { name, inputs, learningRateFactor: 1 };
  }

  conv(name: string, options: ConvolutionOptions, input = this.last): string {
    const { out, kernel, stride = 1, padding = 0, groups = 1, bias = false } = options;
    return this.push({
      ...this.base(name, [input]),
      kind: 'conv2d',
      outChannels: out,
      kernel: same(kernel),
      stride: same(stride),
      padding: allSides(padding),
      dilation: [1, 1],
      groups,
      weight: `${name}.weight`,
      bias: bias ? `${name}.bias` : null,
    });
  }

  batchNorm(name: string): string {
    return this.push({
      ...this.base(name),
      kind: 'batchNorm',
      ...BATCH_NORM,
      weight: `${name}.weight`,
      bias: `${name}.bias`,
      runningMean: `${name}.running_mean`,
      runningVariance: `${name}.running_var`,
    });
  }

  activation(name: string, activation: Activation = 'relu'): string {
    return this.push({ ...this.base(name), kind: 'activation', activation });
  }

  maxPool(name: string, options: { kernel: number; stride: number; padding?: number; ceilMode?: boolean }): string {
    const { kernel, stride, padding = 0, ceilMode = false } = options;
    return this.push({
      ...this.base(name),
      kind: 'maxPool',
      kernel: same(kernel),
      stride: same(stride),
      padding: padding > 0 ? allSides(padding) : NO_PADDING,
      dilation: [1, 1],
      ceilMode,
      countIncludePad: false,
    });
  }

  globalAveragePool(name: string): string {
    return this.push({ ...this.base(name), kind: 'globalAveragePool', flatten: true });
  }

  add(name: string, ...inputs: readonly string[]): string {
    return this.push({ ...this.base(name, inputs), kind: 'add' });
  }

  concat(name: string, ...inputs: readonly string[]): string {
    return this.push({ ...this.base(name, inputs), kind: 'concat', axis: 1 });
  }

  dropout(name: string, rate: number): string {
    return this.push({ ...this.base(name), kind: 'dropout', rate });
  }

  dense(name: string, outFeatures: number): string {
    return this.push({
      ...this.base(name),
      kind: 'dense',
      outFeatures,
      weight: `${name}.weight`,
      bias: `${name}.bias`,
    });
  }

  build(): Network {
    const { architecture, preprocessing, layers } = this;
    return { architecture, layers, preprocessing, classes: null, auxiliary: [] };
  }
}
