import { NO_PADDING } from '../../graph.js';
import type { Padding } from '../../network.js';
import type { ImportBuilder, ImportOptions } from '../importBuilder.js';
import { samePadding } from '../../../kernels/ops/window.js';
import type { Attributes } from './attributes.js';
import { fail } from './json.js';
import type { KerasLayer } from './topology.js';
import type { FindWeight } from './weights.js';

/** The output of a Keras layer. */
export interface Value {
  /** Our layer that computes it. */
  readonly layer: string;
  /** [C, H, W] whose flattening this is, where H * W > 1: TensorFlow has it in the order H, W, C. */
  readonly flattened: readonly number[] | null;
}

/** What a converter of one layer works with. */
export class Context {
  constructor(
    readonly layer: KerasLayer,
    readonly attributes: Attributes,
    readonly builder: ImportBuilder,
    private readonly findWeight: FindWeight,
    readonly options: ImportOptions,
    readonly report: (attribute: string | null) => void,
  ) {}

  get id(): string {
    return this.layer.id;
  }

  base(input: Value, name = this.id) {
    return { name, inputs: [input.layer] };
  }

  shape(input: Value): number[] {
    return this.builder.shape(input.layer);
  }

  map(input: Value): [number, number, number] {
    const [channels, height, width] = this.shape(input);
    if (channels === undefined || height === undefined || width === undefined) {
      return fail(`${this.id} (${this.layer.className}) needs a feature map; its input is a vector.`);
    }
    return [channels, height, width];
  }

  /** Reads a Keras weight of the given shape and adds it, changed by `arrange`, in our shape. */
  weight(
    name: string,
    shape: readonly number[],
    ours = shape,
    arrange: (data: Float32Array) => Float32Array = (data) => data,
  ): string {
    return this.builder.weight(`${this.id}/${name}`, ours, arrange(this.findWeight(this.layer.name, name, shape)));
  }

  /** Pads as `padding` ("same" or "valid") of the layer says. */
  padding(input: Value, kernel: [number, number], stride: [number, number], dilation: [number, number]): Padding {
    if (this.layer.config.padding !== 'same') return NO_PADDING;
    const [, height, width] = this.map(input);
    return samePadding([height, width], kernel, stride, dilation);
  }

  /** Appends the layer's own activation, if it has one. */
  activated(layer: string): Value {
    const activation = this.attributes.activation();
    return activation === null ? value(layer) : this.activate(value(layer), activation, `${this.id}_${activation}`);
  }

  activate(input: Value, activation: 'relu' | 'relu6' | 'softmax', name: string): Value {
    const base = this.base(input, name);
    const layer =
      activation === 'softmax'
        ? this.builder.add({ ...base, kind: 'softmax', axis: 1 })
        : this.builder.add({ ...base, kind: 'activation', activation });
    return { layer, flattened: input.flattened };
  }
}

export const value = (layer: string): Value => ({ layer, flattened: null });
