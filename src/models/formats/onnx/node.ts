import { ModelError } from '../../errors.js';
import type { OnnxNode, OnnxTensor } from './proto.js';
import type { Constant } from './tensor.js';

/** The output of a layer. */
export interface LayerValue {
  readonly kind: 'layer';
  readonly layer: string;
}
/** What a name of an ONNX graph stands for; null where it could not be imported. */
export type Value = Constant | LayerValue | null;

/** One node with its inputs looked up, and defaults for its attributes. */
export class Operation {
  constructor(
    readonly node: OnnxNode,
    readonly opset: number,
    readonly inputs: readonly (Value | undefined)[],
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

  /** A list of two numbers, e.g. strides. */
  pair(attribute: string, otherwise: readonly [number, number]): [number, number] {
    const list = this.ints(attribute) ?? otherwise;
    const [height, width] = list;
    if (list.length !== 2 || height === undefined || width === undefined) {
      return this.fail(`${attribute} must be two numbers for a 2-D picture; got [${list.join(', ')}].`);
    }
    return [height, width];
  }

  /** An input that must be known when the file is read; undefined where it is left out. */
  constant(index: number): Constant | undefined {
    const value = this.inputs[index];
    if (value === undefined || value?.kind === 'constant') return value;
    return this.fail(`input ${index} (${this.node.inputs[index]}) must be a constant.`);
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

  /** The layer that an input comes from. */
  layer(index = 0): string {
    const value = this.inputs[index];
    return value?.kind === 'layer' ? value.layer : this.fail(`input ${index} must depend on the network's input.`);
  }
}
