import { ModelError } from '../../errors.js';
import type { ValueType } from '../../layers/input.js';
import type { ImportBuilder, LayerDraft } from '../importBuilder.js';
import type { OnnxNode, OnnxTensor } from './proto.js';
import { isWide } from './types.js';
import type { Constant, LayerValue, Value } from './value.js';

type OmitName<T> = T extends unknown ? Omit<T, 'name'> : never;
/** A layer that gets its name from the node. */
export type StepDraft = OmitName<LayerDraft>;

/** One node with its inputs looked up, defaults for its attributes, and ways to make layers of it. */
export class Operation {
  constructor(
    readonly node: OnnxNode,
    readonly opset: number,
    readonly inputs: readonly (Value | undefined)[],
    readonly builder: ImportBuilder,
    private readonly parameters: Map<Constant, string>,
    private readonly report: (attribute: string | null) => void,
  ) {}

  get name(): string {
    return this.node.name || this.node.outputs[0] || this.node.operator;
  }

  /** Tells of something that Graft has no layer for. */
  problem(attribute: string | null): null {
    this.report(attribute);
    return null;
  }

  fail(message: string): never {
    throw new ModelError('INVALID_FILE', `ONNX: node ${this.name} (${this.node.operator}): ${message}`);
  }

  has(attribute: string): boolean {
    return this.node.attributes.has(attribute);
  }

  int(attribute: string, otherwise: number): number {
    return this.node.attributes.get(attribute)?.int ?? otherwise;
  }

  float(attribute: string, otherwise: number): number {
    return this.node.attributes.get(attribute)?.float ?? otherwise;
  }

  text(attribute: string, otherwise: string): string {
    return this.node.attributes.get(attribute)?.text ?? otherwise;
  }

  tensor(attribute: string): OnnxTensor | null {
    return this.node.attributes.get(attribute)?.tensor ?? null;
  }

  ints(attribute: string): readonly number[] | null {
    return this.node.attributes.get(attribute)?.ints ?? null;
  }

  /** A list with a number for each of the spatial dimensions, e.g. strides. */
  spatial(attribute: string, rank: number, otherwise: number): number[] {
    const list = this.ints(attribute) ?? Array<number>(rank).fill(otherwise);
    if (list.length !== rank) this.fail(`${attribute} must be ${rank} numbers; got [${list.join(', ')}].`);
    return [...list];
  }

  /** An input that must be known when the file is read; undefined where it is left out. */
  constant(index: number): Constant | undefined {
    const value = this.inputs[index];
    if (value === undefined || value?.kind === 'constant') return value;
    return value?.known;
  }

  /** Whether an input is there but not known when the file is read; tells so. */
  isOpen(index: number): boolean {
    const isOpen = this.inputs[index] !== undefined && this.constant(index) === undefined;
    if (isOpen) this.problem(`input ${index} (${this.node.inputs[index]}) is not a constant`);
    return isOpen;
  }

  required(index: number): Constant {
    return this.constant(index) ?? this.fail(`input ${index} is missing.`);
  }

  /** A list given as an attribute in older operator sets and as an input in newer ones. */
  listOf(attribute: string, index: number): readonly number[] | null {
    const list = this.ints(attribute);
    if (list) return list;
    const constant = this.constant(index);
    return constant ? [...constant.data] : null;
  }

  given(index: number): Constant | LayerValue {
    return this.inputs[index] ?? this.fail(`input ${index} is missing.`);
  }

  /** Number type of an input. */
  type(index = 0): ValueType {
    return this.given(index).type;
  }

  /** The layer that an input comes from; constants become parameters. */
  layer(index = 0): string {
    const value = this.given(index);
    return value.kind === 'layer' ? value.layer : this.parameter(value);
  }

  /** A constant as a layer. It trains where it is a weight of the file. */
  parameter(constant: Constant): string {
    const known = this.parameters.get(constant);
    if (known) return known;
    const { name, shape, data, isWeight, type } = constant;
    if (data.length === 0) this.fail(`it reads ${name}, which has no elements.`);
    const isTrained = isWeight === true && type.startsWith('float');
    const weight = this.builder.weight(name, shape, toFloat32(this, constant));
    const learningRateFactor = isTrained ? 1 : 0;
    const draft = { kind: 'parameter', name, inputs: [], shape: [...shape], weight, initial: 0 } as const;
    const layer = this.builder.add({ ...draft, learningRateFactor });
    this.parameters.set(constant, layer);
    return layer;
  }

  /** A number, or numbers, that the file does not have. */
  numbers(part: string, data: readonly number[], shape: readonly number[] = []): string {
    const name = `${this.name}_${part}`;
    return this.parameter({ kind: 'constant', name, type: 'float32', shape, data: Float32Array.from(data) });
  }

  /** Complete shape of a layer's value, the batch being 1 where it is open. */
  shape(layer: string): number[] {
    return this.builder.completeShape(layer);
  }

  /** Adds the node's layer. */
  add(draft: StepDraft): string {
    return this.builder.add({ ...draft, name: this.name } as LayerDraft);
  }

  /** Adds a layer that is a part of what the node does. */
  step(part: string, draft: StepDraft): string {
    return this.builder.add({ ...draft, name: `${this.name}_${part}` } as LayerDraft);
  }

  /** A layer's value, of the first input's type unless said. */
  value(layer: string, type: ValueType = this.type()): LayerValue {
    return { kind: 'layer', layer, type };
  }

  /** The values `data` as a result. */
  result(shape: readonly number[], data: Float32Array | Float64Array, type: ValueType, output = 0): Constant {
    return { kind: 'constant', name: this.node.outputs[output] || this.name, type, shape, data };
  }
}

/** Wide integers have to be exact in float32. */
function toFloat32(op: Operation, { name, data, type }: Constant): Float32Array {
  if (data instanceof Float32Array) return data;
  if (!isWide(type)) return Float32Array.from(data);
  if (data.some((value) => Math.fround(value) !== value && !Number.isNaN(value)))
    op.fail(`it computes with ${name}, which has integers beyond 2^24 that float32 does not hold.`);
  if (data.some((value) => Number.isNaN(value)))
    op.fail(`it computes with ${name}, which is not known before the batch is.`);
  return Float32Array.from(data);
}
