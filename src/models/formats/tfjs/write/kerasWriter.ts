import { MappingCounter } from '../../../conversion.js';
import { type Model, readers, uniqueName } from '../../../graph.js';
import type { Layer, WeightTensor } from '../../../network.js';
import { graphShapes } from '../../../shapes.js';
import type { Constant, MapShape } from '../../tensorflow/value.js';

/** What is thrown for a layer that no layers of TF.js compute; becomes one entry of the list in an UNSUPPORTED error. */
export class Inexpressible extends Error {
  constructor(readonly attribute: string | null) {
    super(attribute ?? '');
  }
}

export function inexpressible(attribute: string | null): never {
  throw new Inexpressible(attribute);
}

export interface KerasWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Weights of a layer by TF.js's names, in the order in which TF.js has them. */
export type OwnWeights = Readonly<Record<string, Constant>>;

/** A layer of TF.js that holds the output of one of ours: maps as [N, H, W, C]. */
export interface KerasValue {
  readonly name: string;
  /** [C, H, W] whose flattening in TensorFlow's order it is. */
  readonly flat: MapShape | null;
}

interface KerasLayer {
  readonly class_name: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly inbound_nodes: unknown[];
}

/** Collects the layers of a Keras model, in topological order. */
export class KerasWriter {
  readonly layers: KerasLayer[] = [];
  readonly weights: KerasWeight[] = [];
  readonly mappings = new MappingCounter();
  private readonly names = new Set<string>();
  private readonly values = new Map<string, KerasValue>();
  private readonly shapes: ReadonlyMap<string, readonly number[]>;
  private readonly readers: ReadonlyMap<string, readonly Layer[]>;
  private readonly byName: ReadonlyMap<string, Layer>;
  private written: string[] = [];

  constructor(readonly model: Model) {
    this.shapes = graphShapes(model.network).shapes;
    this.readers = readers(model.network.layers);
    this.byName = new Map(model.network.layers.map((layer) => [layer.name, layer]));
  }

  /** Adds what one of our layers becomes. */
  convert(layer: Layer, write: () => KerasValue): void {
    this.written = [];
    this.values.set(layer.name, write());
    this.mappings.add(layer.kind, this.written.join(' + ') || 'nothing');
  }

  /** Appends a Keras layer and returns its name, unique. */
  add(
    wanted: string,
    className: string,
    config: Readonly<Record<string, unknown>>,
    inputs: readonly string[],
    weights: OwnWeights = {},
  ): string {
    const name = uniqueName(wanted, (taken) => this.names.has(taken));
    this.names.add(name);
    this.written.push(className);
    for (const [own, { shape, data }] of Object.entries(weights)) {
      this.weights.push({ name: `${name}/${own}`, shape, data });
    }
    const nodes = inputs.length > 0 ? [inputs.map((input) => [input, 0, 0, {}])] : [];
    const trainable = className === 'InputLayer' ? {} : { trainable: true, dtype: 'float32' };
    this.layers.push({
      class_name: className,
      name,
      config: { name, ...trainable, ...config },
      inbound_nodes: nodes,
    });
    return name;
  }

  layer(name: string): Layer {
    return this.byName.get(name) as Layer;
  }

  /** Layers that read what a layer of ours computes. */
  readersOf(name: string): readonly Layer[] {
    return this.readers.get(name) ?? [];
  }

  get output(): Layer {
    return this.model.network.layers.at(-1) as Layer;
  }

  /** The Keras layer that computes the network's output. */
  get outputName(): string {
    return (this.values.get(this.output.name) as KerasValue).name;
  }

  /** Complete shape of an input of a layer, in our order. */
  inputShape(layer: Layer, index = 0): readonly number[] {
    return this.shapes.get(layer.inputs[index] as string) as readonly number[];
  }

  shape(layer: Layer): readonly number[] {
    return this.shapes.get(layer.name) as readonly number[];
  }

  value(layer: Layer, index = 0): KerasValue {
    return this.values.get(layer.inputs[index] as string) as KerasValue;
  }

  /** The only input of a layer that takes its values in the order in which TF.js has them. */
  input(layer: Layer, index = 0): string {
    const { name, flat } = this.value(layer, index);
    return flat ? inexpressible('a flattened map in another order') : name;
  }

  weight(name: string): WeightTensor {
    return this.model.weights.get(name) as WeightTensor;
  }

  optional(name: string | null): WeightTensor | null {
    return name === null ? null : this.weight(name);
  }
}

export const plain = (name: string): KerasValue => ({ name, flat: null });
