import { ModelError } from '../errors.js';
import type { Model } from '../graph.js';
import { ImportBuilder, type ImportOptions } from './importBuilder.js';
import { ALLOWED_VALUES, CONVERTERS } from './onnx/convert.js';
import { ConstantFolder } from './onnx/fold.js';
import { Operation, type Value } from './onnx/node.js';
import { type OnnxModel, type OnnxNode, type OnnxValueInfo, readOnnxModel } from './onnx/proto.js';
import { readConstant } from './onnx/tensor.js';

/** The oldest operator set whose rules (broadcasting, batch norm, dropout for inference) the converter knows. */
const OLDEST_OPSET = 7;

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `ONNX: ${message}`);
}

class OnnxImporter {
  private readonly builder = new ImportBuilder('ONNX');
  private readonly values = new Map<string, Value>();
  private readonly folder: ConstantFolder;
  private readonly opset: number;

  constructor(
    private readonly model: OnnxModel,
    private readonly options: ImportOptions,
    private readonly readExternal: (location: string) => Uint8Array | undefined,
  ) {
    this.folder = new ConstantFolder(readExternal);
    this.opset = model.opsets.get('') ?? fail("the file names no version of ONNX's operator set.");
    if (this.opset < OLDEST_OPSET) {
      fail(
        `the file uses operator set ${this.opset}; Graft reads ${OLDEST_OPSET} and newer. Convert it with onnx's version converter.`,
      );
    }
  }

  import(): Model {
    const { graph } = this.model;
    for (const tensor of graph.initializers) {
      this.define(tensor.name, readConstant(tensor, tensor.name, this.readExternal));
    }
    this.input(graph.inputs.filter(({ name }) => !this.values.has(name)));
    for (const node of graph.nodes) this.node(node);
    this.builder.throwProblems();
    const [output, ...others] = graph.outputs;
    if (!output || others.length > 0)
      fail(`the graph has ${graph.outputs.length} outputs; Graft takes networks with 1.`);
    const value = this.values.get(output.name);
    if (value?.kind !== 'layer') fail(`its output ${output.name} does not depend on its input.`);
    return this.builder.build(graph.name || 'onnx', value.layer, this.options);
  }

  private define(name: string, value: Value): void {
    if (this.values.has(name)) fail(`${name} is defined twice.`);
    this.values.set(name, value);
  }

  private input(inputs: readonly OnnxValueInfo[]): void {
    const [input, ...others] = inputs;
    if (!input || others.length > 0) {
      fail(
        `the graph has ${inputs.length} inputs (${inputs.map(({ name }) => name).join(', ')}); Graft takes networks with 1.`,
      );
    }
    const [, channels, height, width] = input.dims;
    if (input.dims.length !== 4 || !channels) {
      const dims = input.dims.map((size) => size ?? '?').join(', ');
      fail(`its input ${input.name} is [${dims}]; pictures are [N, channels, height, width].`);
    }
    const side = this.options.inputSize ?? 224;
    const shape = [channels, height ?? side, width ?? side] as const;
    const layer = this.builder.add({
      name: input.name,
      inputs: [],
      kind: 'input',
      shape,
      batched: true,
      type: 'float32',
    });
    this.define(input.name, { kind: 'layer', layer });
  }

  private node(node: OnnxNode): void {
    const label = node.name || node.outputs[0] || node.operator;
    const before = this.builder.problems.length;
    const report = (attribute: string | null) => this.builder.problem(label, node.operator, attribute);
    const inputs = node.inputs.map((name) => {
      if (name === '') return undefined;
      const value = this.values.get(name);
      return value === undefined
        ? fail(`node ${label} (${node.operator}) reads ${name}, which does not exist yet.`)
        : value;
    });
    const op = new Operation(node, this.opset, inputs, report);
    const constant = isOwnDomain(node) ? this.folder.fold(op) : null;
    const value = constant ?? this.convert(op, before);
    node.outputs.forEach((name, index) => {
      if (name !== '') this.define(name, index === 0 ? value : null);
    });
  }

  private convert(op: Operation, before: number): Value {
    const { node } = op;
    const converter = Object.hasOwn(CONVERTERS, node.operator) ? CONVERTERS[node.operator] : undefined;
    if (!isOwnDomain(node) || !converter) return op.problem(isOwnDomain(node) ? null : `domain ${node.domain}`);
    checkAttributes(op);
    if (this.builder.problems.length > before || op.inputs.some((input) => input === null)) return this.unknown(op);
    return converter(op, this.builder);
  }

  /** A second output (a mask, indices, batch statistics) is unknown without a problem so far: report its reader. */
  private unknown(op: Operation): null {
    if (this.builder.problems.length === 0) op.problem('reads a side output (mask, indices or statistics)');
    return null;
  }
}

const isOwnDomain = (node: OnnxNode): boolean => node.domain === '' || node.domain === 'ai.onnx';

function checkAttributes(op: Operation): void {
  const allowed = ALLOWED_VALUES[op.node.operator] ?? {};
  for (const [name, values] of Object.entries(allowed)) {
    const attribute = op.node.attributes.get(name);
    if (!attribute) continue;
    const value = typeof values[0] === 'string' ? attribute.text : attribute.int;
    if (!values.includes(value)) op.problem(`${name} = ${value}`);
  }
  const dilations = op.node.operator.endsWith('Pool') ? (op.ints('dilations') ?? []) : [];
  if (dilations.some((size) => size !== 1)) op.problem(`dilations = [${dilations.join(', ')}]`);
}

/** Whether bytes look like an ONNX file: a protobuf message that begins with the field ir_version, a small number. */
export function looksLikeOnnx(bytes: Uint8Array): boolean {
  const version = bytes[1] ?? 0;
  return bytes[0] === 0x08 && version >= 3 && version < 0x40;
}

/**
 * Imports an ONNX file (operator sets 7 and newer) with one picture input and one output. Constants may be initializers,
 * Constant or ConstantOfShape nodes, or computed from shapes; `readExternal` gives files that hold tensors of their own.
 *
 * Layers are named after the nodes, weights after the initializers. A softmax in the file stays (see `endInLogits`).
 * Throws INVALID_FILE, INVALID_NETWORK, or UNSUPPORTED with everything that Graft has no layer for.
 */
export function importOnnx(
  bytes: Uint8Array,
  options: ImportOptions = {},
  readExternal: (location: string) => Uint8Array | undefined = () => undefined,
): Model {
  return new OnnxImporter(readOnnxModel(bytes), options, readExternal).import();
}
