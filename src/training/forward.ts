import { elementCount } from '../kernels/tensor.js';
import type { Activation } from '../kernels/ops/activation/kinds.js';
import { conv2d } from '../kernels/ops/conv2d/conv2d.js';
import { dropout, dropPictures } from '../kernels/ops/dropout/dropout.js';
import type { ChannelRange } from '../kernels/ops/channelShuffle/interleave.js';
import type { PlanBuilder } from '../kernels/planBuilder.js';
import type { Tensor } from '../kernels/tensor.js';
import { kernelActivation } from '../models/layers/activation.js';
import { asConvolution } from '../models/layers/dense.js';
import type { BuildContext, Inputs } from '../models/layers/definition.js';
import { inRows } from '../models/layers/layout.js';
import { definitionOf } from '../models/layers/registry.js';
import type { Conv2dLayer, Graph, Layer, Weights } from '../models/network.js';
import { inferShapes } from '../models/shapes.js';
import { denseInParts, exceedsBinding } from './denseParts.js';
import type { DeviceWeights } from './deviceWeights.js';
import { TrainingError } from './errors.js';
import { type FoldedConvolution, foldBatchNorm, foldScale, unfolded, weightOf } from './fold.js';
import { allChannels, channelsTaken, interleaved, interleaves, separate, takesChannels } from './interleaving.js';
import { cutAtBottlenecks, joinSegments } from './segments.js';

export interface ForwardOptions {
  /** Layers to compute, in topological order. Their other inputs are in `values`. */
  readonly layers: readonly Layer[];
  /** Outputs of layers that are given, by layer name. */
  readonly values: ReadonlyMap<string, Tensor>;
  /** Layers whose values the caller reads: never swallowed by a fusion. */
  readonly keep: ReadonlySet<string>;
  /** `train`: layers that are not frozen use batch statistics, dropout and gradients. `eval`: nothing changes. */
  readonly mode: 'train' | 'eval';
  /** [seed, step, 0, 0], dense u32: needed where the mode is `train` and there is dropout. */
  readonly step?: Tensor;
  /**
   * True where no weight can change while the plan lives (inference): all batch norms may be folded into convolutions.
   * Otherwise those of frozen layers are.
   */
  readonly weightsAreFixed: boolean;
  /** Mode `train`: activations are computed again in the backward pass instead of being kept for it. */
  readonly recompute?: boolean;
}

/** Puts layers of a network onto a plan and returns the layers' values by name. */
export function buildForward(
  b: PlanBuilder,
  network: Pick<Graph, 'layers'>,
  weights: Weights,
  device: DeviceWeights,
  options: ForwardOptions,
): Map<string, Tensor> {
  return new ForwardBuilder(b, network, weights, device, options).build();
}

/** For each layer that does nothing where nothing trains, unless its value is asked for: the one whose value it passes on. */
function unchangedValues(layers: readonly Layer[], { keep, values }: ForwardOptions): Map<string, string> {
  const renamed = new Map<string, string>();
  for (const { name, kind, inputs } of layers) {
    const isUnchanged = kind === 'dropout' || kind === 'stochasticDepth';
    if (isUnchanged && !keep.has(name) && !values.has(name)) {
      renamed.set(name, renamed.get(inputs[0] as string) ?? (inputs[0] as string));
    }
  }
  return renamed;
}

class ForwardBuilder {
  private values: Map<string, Tensor>;
  /** Layers whose work a fused kernel of an earlier layer does: no value of their own. */
  private readonly swallowed = new Set<string>();
  /** Values that are not computed: the layer that reads them takes channels of another value. */
  private readonly ranges = new Map<string, ChannelRange>();
  private readonly consumers = new Map<string, Layer[]>();
  private readonly position: Map<string, number>;
  /** Layers that pass on what they read, and the values that stand for theirs. */
  private readonly renamed: ReadonlyMap<string, string>;

  constructor(
    private readonly b: PlanBuilder,
    private readonly network: Pick<Graph, 'layers'>,
    private readonly weights: Weights,
    private readonly device: DeviceWeights,
    private readonly options: ForwardOptions,
  ) {
    this.values = new Map(options.values);
    this.position = new Map(network.layers.map((layer, index) => [layer.name, index]));
    this.renamed = options.mode === 'eval' ? unchangedValues(network.layers, options) : new Map();
    // Others that read a layer are no reason to keep its value.
    for (const layer of this.effective()) {
      for (const input of layer.inputs) {
        const list = this.consumers.get(input);
        if (list) list.push(layer);
        else this.consumers.set(input, [layer]);
      }
    }
  }

  build(): Map<string, Tensor> {
    const { recompute, mode } = this.options;
    if (!recompute || mode === 'eval') this.addLayers(this.effective());
    else for (const segment of this.segments()) this.addRecomputed(segment);
    return this.values;
  }

  /** The layers to compute that have an effect. */
  private effective(): Layer[] {
    return this.options.layers.filter(({ name }) => !this.renamed.has(name)).map((layer) => this.reading(layer));
  }

  /** A layer that reads what layers without effect pass on. */
  private reading<L extends Layer>(layer: L): L {
    if (!layer.inputs.some((input) => this.renamed.has(input))) return layer;
    return { ...layer, inputs: layer.inputs.map((input) => this.renamed.get(input) ?? input) };
  }

  private addLayers(layers: readonly Layer[]): void {
    const planned = new Set(layers.map((layer) => layer.name));
    for (const layer of layers) {
      if (this.values.has(layer.name) || this.swallowed.has(layer.name)) continue;
      this.layer(layer, planned);
    }
  }

  private segments(): Layer[][] {
    const shapes = inferShapes(this.network);
    const elements = ({ name }: Layer) => elementCount(shapes.get(name) as number[]);
    const { layers, keep } = this.options;
    return joinSegments(cutAtBottlenecks(layers, keep), elements, keep);
  }

  /** Puts a segment onto the plan, and again where the backward pass asks for it; only its last value is seen by others. */
  private addRecomputed(segment: readonly Layer[]): void {
    const output = segment.at(-1) as Layer;
    // A value in its middle that others see has to stay, so all of the segment does.
    if (segment.some((layer) => layer !== output && this.options.keep.has(layer.name))) {
      this.swallowed.clear();
      this.addLayers(segment);
      return;
    }
    const before = new Map(this.values);
    const value = this.b.recomputed(() => {
      this.values = new Map(before);
      this.swallowed.clear();
      this.addLayers(segment);
      return this.value(output.name, output);
    });
    this.values = new Map(before).set(output.name, value);
  }

  /** The one layer that reads `layer`, where a fusion may swallow `layer`'s own value. */
  private soleConsumer(layer: Layer, planned: ReadonlySet<string>): Layer | null {
    const consumers = this.consumers.get(layer.name) ?? [];
    const [only] = consumers;
    if (consumers.length !== 1 || !only || this.options.keep.has(layer.name) || !planned.has(only.name)) return null;
    return only;
  }

  private fusedActivation(layer: Layer, planned: ReadonlySet<string>): { activation: Activation | null; last: Layer } {
    const next = this.soleConsumer(layer, planned);
    return next?.kind === 'activation'
      ? { activation: kernelActivation(next.activation), last: next }
      : { activation: null, last: layer };
  }

  private trains(layer: Layer): boolean {
    return this.options.mode === 'train' && layer.learningRateFactor > 0;
  }

  /** Whether a layer's weights stay as they are for as long as the plan lives. */
  private isFixed(layer: Layer): boolean {
    return this.options.weightsAreFixed || layer.learningRateFactor === 0;
  }

  private parameter(layer: Layer, name: string): Tensor {
    return this.b.persistent(this.device.get(name), { trainable: this.trains(layer) });
  }

  /** The large parameter of a convolution or dense layer, in the float type of the activations. */
  private kernel(layer: Layer, name: string): Tensor {
    const { b } = this;
    return b.persistent(this.device.get(name, b.activationType), { trainable: this.trains(layer) });
  }

  private value(name: string | undefined, reader: Layer): Tensor {
    const value = name === undefined ? undefined : this.values.get(name);
    if (!value)
      throw new TrainingError(
        'INVALID_NETWORK',
        `Layer ${reader.name} reads ${name}, which comes later or is missing.`,
      );
    return value;
  }

  private layer(layer: Layer, planned: ReadonlySet<string>): void {
    if (layer.kind === 'conv2d') return this.convolution(layer, planned);
    if (layer.kind === 'dense2d') return this.convolution(asConvolution(layer), planned);
    if (this.isReadInPlace(layer, planned) || this.interleaving(layer, planned)) return;
    const definition = definitionOf(layer.kind);
    if (!definition.build) throw new TrainingError('INVALID_NETWORK', `The input ${layer.name} was given no value.`);
    const inputs = layer.inputs.map((name) => this.value(name, layer)) as unknown as Inputs<Tensor>;
    const fused = definition.fusesActivation ? this.fusedActivation(layer, planned) : { activation: null, last: layer };
    if (layer.kind === 'dense' && this.isFixed(layer) && exceedsBinding(this.b, layer, this.weights)) {
      const value = denseInParts(this.b, layer, inputs[0], this.device, this.weights, fused.activation);
      this.values.set(fused.last.name, value);
      return;
    }
    this.values.set(fused.last.name, definition.build(this.context(layer), layer, inputs, fused.activation));
  }

  /** Leaves channels that are taken for an interleaving to that, which copies them once. */
  private isReadInPlace(layer: Layer, planned: ReadonlySet<string>): boolean {
    if (this.options.mode !== 'eval' || !takesChannels(layer)) return false;
    const next = this.soleConsumer(layer, planned);
    if (!next || !interleaves(next, this.soleConsumer(next, planned))) return false;
    this.ranges.set(layer.name, channelsTaken(layer, this.value(layer.inputs[0], layer)));
    return true;
  }

  /** A concatenation with the shuffle of channels behind it. */
  private interleaving(layer: Layer, planned: ReadonlySet<string>): boolean {
    const next = this.soleConsumer(layer, planned);
    if (!next || !interleaves(layer, next)) return false;
    const result = interleaved(
      this.b,
      layer.inputs.map((name) => this.ranges.get(name) ?? allChannels(this.value(name, layer))),
    );
    if (result) {
      this.values.set(next.name, result);
      this.swallowed.add(next.name);
      return true;
    }
    for (const name of layer.inputs) {
      const range = this.ranges.get(name);
      if (range) this.values.set(name, separate(this.b, range));
    }
    return false;
  }

  private context(layer: Layer): BuildContext {
    const { b } = this;
    return {
      b,
      trains: this.trains(layer),
      parameter: (name) => this.parameter(layer, name),
      kernel: (name) => this.kernel(layer, name),
      statistic: (name) => b.persistent(this.device.get(name)),
      dropout: (x, rate) => this.drop(dropout, layer.name, x, rate),
      dropPictures: (x, rate) => this.drop(dropPictures, layer.name, x, rate),
    };
  }

  private drop(op: typeof dropout, name: string, x: Tensor, rate: number): Tensor {
    if (this.options.mode === 'eval' || rate === 0) return x;
    if (!this.options.step) throw new TrainingError('INVALID_NETWORK', `Dropout ${name} needs the plan's step input.`);
    return op(this.b, x, rate, this.options.step, this.position.get(name) as number);
  }

  /** A convolution with the layer behind it, where the two are one convolution as long as the plan lives. */
  private folded(layer: Conv2dLayer, next: Layer): FoldedConvolution | null {
    if (!this.isFixed(layer)) return null;
    if (next.kind === 'batchNorm') return this.isFixed(next) ? foldBatchNorm(layer, next, this.weights) : null;
    if (next.kind !== 'binary' || next.operator !== 'mul') return null;
    const scale = this.network.layers.find(({ name }) => name !== layer.name && next.inputs.includes(name));
    const isPerChannel = scale?.kind === 'parameter' && scale.shape.join() === `${layer.outChannels},1,1`;
    if (!isPerChannel || !this.isFixed(scale)) return null;
    return foldScale(unfolded(layer, this.weights), weightOf(this.weights, scale.weight));
  }

  /** A convolution with what can be fused behind it: frozen batch norm or scale, residual addition, activation. */
  private convolution(layer: Conv2dLayer, planned: ReadonlySet<string>): void {
    const { b } = this;
    const x = inRows(b, this.value(layer.inputs[0], layer));
    let last: Layer = layer;
    let weight: Tensor;
    let bias: Tensor | null;
    const next = this.soleConsumer(layer, planned);
    const folded = next && this.folded(layer, next);
    if (folded) {
      const { activationType } = b;
      weight = b.persistent(this.device.derived(`${layer.weight} * ${next.name}`, () => folded.weight, activationType));
      bias = b.persistent(this.device.derived(`${layer.weight} + ${next.name}`, () => folded.bias));
      last = next;
      this.swallowed.add(next.name);
    } else {
      weight = this.kernel(layer, layer.weight);
      bias = layer.bias === null ? null : this.parameter(layer, layer.bias);
    }
    let residual: Tensor | null = null;
    const sum = this.soleConsumer(last, planned);
    if (sum?.kind === 'add' && sum.inputs.length === 2) {
      const other = this.values.get(
        sum.inputs[0] === last.name ? (sum.inputs[1] as string) : (sum.inputs[0] as string),
      );
      if (other) {
        residual = other;
        last = sum;
        this.swallowed.add(sum.name);
      }
    }
    const fused = this.fusedActivation(last, planned);
    this.values.set(fused.last.name, conv2d(b, x, weight, layer, { bias, residual, activation: fused.activation }));
  }
}
