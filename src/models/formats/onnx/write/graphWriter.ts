import { type Mapping, MappingCounter } from '../../../conversion.js';
import { ModelError } from '../../../errors.js';
import { type Model, uniqueName } from '../../../graph.js';
import type { Layer, WeightTensor } from '../../../network.js';
import { graphShapes } from '../../../shapes.js';
import {
  type AttributeValue,
  type Message,
  nodeMessage,
  type OnnxType,
  tensorMessage,
  valueMessage,
} from './message.js';

/** One operator with its operands; its output gets its name from where it is used. */
export interface Operation {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Numbers of outputs before and behind the one that is meant. */
  readonly unused?: readonly [before: number, behind: number];
}

export const operation = (
  operator: string,
  inputs: readonly string[],
  attributes: Operation['attributes'] = {},
): Operation => ({ operator, inputs, attributes });

/** UNSUPPORTED for a layer that the operator set does not say; `attribute` where only that is the matter. */
export function inexpressible({ name, kind }: Layer, attribute: string | null): ModelError {
  const what = attribute === null ? kind : `${kind}, ${attribute}`;
  const problem = { layer: name, kind, attribute };
  return new ModelError('UNSUPPORTED', `The layer ${name} (${what}) cannot be written as ONNX.`, [problem]);
}

/**
 * Collects the nodes and initializers of one graph. Nodes and values are called as their layers, weights as in the network;
 * what a layer needs beside (further nodes, constants) is called after it. ONNX has one space of names for all values, so a
 * layer that is called as a weight gets a number behind its name.
 */
export class GraphWriter {
  private readonly nodes: Message[] = [];
  private readonly initializers = new Map<string, { readonly shape: readonly number[]; readonly message: Message }>();
  private readonly taken = new Set<string>();
  private readonly values = new Map<string, string>();
  private readonly shapes: ReadonlyMap<string, readonly number[]>;
  private layer = '';
  /** Operators of the layer at hand. */
  private operators: string[] = [];
  private readonly mappings = new MappingCounter();

  constructor(private readonly model: Model) {
    this.shapes = graphShapes(model.network).shapes;
    for (const name of model.weights.keys()) this.taken.add(name);
  }

  private name(wanted: string): string {
    const name = uniqueName(wanted, (taken) => this.taken.has(taken));
    this.taken.add(name);
    return name;
  }

  /** Reserves a name for a value that comes from outside of the graph. */
  input(wanted: string): string {
    return this.name(wanted);
  }

  /** Whether a pooling reads what a layer computes. */
  feedsPool({ name }: Layer): boolean {
    const { layers } = this.model.network;
    return layers.some(({ kind, inputs }) => (kind === 'maxPool' || kind === 'averagePool') && inputs.includes(name));
  }

  /** Says which value a layer's output is. */
  define(layer: string, value: string): void {
    this.values.set(layer, value);
  }

  /** Adds a layer whose value `write` computes: the last operation, or a value that is there already. */
  add(layer: Layer, write: () => Operation | string): void {
    this.layer = layer.name;
    this.operators = [];
    const result = write();
    this.define(layer.name, typeof result === 'string' ? result : this.node(layer.name, result));
    const otherwise = layer.kind === 'parameter' ? 'initializer' : 'nothing';
    this.mappings.add(layer.kind, this.operators.join(' + ') || otherwise);
  }

  /** Adds a node; returns the name of its value. */
  node(wanted: string, { operator, inputs, attributes, unused = [0, 0] }: Operation): string {
    const output = this.name(wanted);
    this.operators.push(operator);
    const others = (count: number) => Array.from({ length: count }, () => this.name(`${wanted}/unused`));
    const outputs = [...others(unused[0]), output, ...others(unused[1])];
    this.nodes.push(nodeMessage({ name: output, operator, inputs, outputs, attributes }));
    return output;
  }

  /** A node before the last of the layer at hand. */
  step(
    operator: string,
    inputs: readonly string[],
    attributes: Operation['attributes'] = {},
    unused: Operation['unused'] = [0, 0],
  ): string {
    return this.node(`${this.layer}/${operator}`, { operator, inputs, attributes, unused });
  }

  /** The value of a layer's input. */
  value(layer: Layer, index = 0): string {
    const name = layer.inputs[index] ?? '';
    return this.values.get(name) ?? this.missing(`${layer.name} reads ${name}, which is not there.`);
  }

  allValues(layer: Layer): string[] {
    return layer.inputs.map((_, index) => this.value(layer, index));
  }

  valueOf(layer: string): string {
    return this.values.get(layer) ?? this.missing(`There is no layer ${layer}.`);
  }

  /** Shape of a layer's output, with one picture where it has a batch. */
  shape(layer: string): readonly number[] {
    return this.shapes.get(layer) ?? this.missing(`There is no layer ${layer}.`);
  }

  inputShape(layer: Layer, index = 0): readonly number[] {
    return this.shape(layer.inputs[index] ?? '');
  }

  /** A weight as an initializer, in its own shape or another with as many values. */
  weight(name: string, shape?: readonly number[]): string {
    const tensor = this.tensor(name);
    const wanted = shape ?? tensor.shape;
    const there = this.initializers.get(name);
    if (there?.shape.join() === wanted.join()) return name;
    if (there) return this.initializer(this.name(name), wanted, tensor.data);
    return this.initializer(name, wanted, tensor.data);
  }

  tensor(name: string): WeightTensor {
    return this.model.weights.get(name) ?? this.missing(`There is no weight ${name}.`);
  }

  private initializer(name: string, shape: readonly number[], data: Float32Array | readonly number[]): string {
    this.initializers.set(name, { shape, message: tensorMessage(name, shape, data) });
    return name;
  }

  /** A float32 constant of the layer at hand: one number, or values in a shape. */
  constant(what: string, values: number | Float32Array, shape: readonly number[] = []): string {
    const data = typeof values === 'number' ? Float32Array.of(values) : values;
    return this.initializer(this.name(`${this.layer}/${what}`), shape, data);
  }

  /** An int64 constant of the layer at hand. */
  integers(what: string, values: readonly number[]): string {
    return this.initializer(this.name(`${this.layer}/${what}`), [values.length], values);
  }

  private missing(message: string): never {
    throw new ModelError('INVALID_NETWORK', message);
  }

  /** Names of the layers' values. */
  get layerValues(): ReadonlyMap<string, string> {
    return this.values;
  }

  get mapped(): Mapping[] {
    return this.mappings.list();
  }

  /** Writes GraphProto. */
  write(
    graph: Message,
    name: string,
    inputs: readonly { name: string; type: OnnxType; dims: readonly (number | string)[] }[],
    outputs: readonly { name: string; dims: readonly (number | string)[] }[],
  ): Message {
    for (const node of this.nodes) graph.message(1, node);
    graph.text(2, name);
    for (const { message } of this.initializers.values()) graph.message(5, message);
    for (const input of inputs) graph.message(11, valueMessage(input.name, input.type, input.dims));
    for (const output of outputs) graph.message(12, valueMessage(output.name, 'float32', output.dims));
    return graph;
  }
}
