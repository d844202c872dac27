import { elementCount } from '../../kernels/tensor.js';
import { ModelError } from '../errors.js';
import type { Model } from '../graph.js';
import {
  asNetwork,
  type GivenInput,
  type GraphImportOptions,
  type GraphInput,
  type GraphModel,
  type GraphOutput,
} from '../graphModel.js';
import { parsePreprocessing } from '../networkJson.js';
import type { ValueType } from '../layers/input.js';
import { ImportBuilder, type ImportOptions } from './importBuilder.js';
import { Budget } from './onnx/fold/folder.js';
import { sizesOf } from './onnx/fold/arrangement.js';
import { fold } from './onnx/fold/fold.js';
import { Operation } from './onnx/node.js';
import { METADATA_KEYS } from './onnx/exportOnnx.js';
import { ALLOWED_VALUES, CONVERTERS } from './onnx/operators.js';
import { type OnnxModel, type OnnxNode, type OnnxValueInfo, readOnnxModel } from './onnx/proto.js';
import type { ReadExternal } from './onnx/tensor.js';
import { isWide, valueType } from './onnx/types.js';
import type { Constant, Value } from './onnx/value.js';

/** The oldest operator set whose rules (broadcasting, batch norm, dropout for inference) the converter knows. */
const OLDEST_OPSET = 7;
/** Up to how many elements what follows from given inputs is computed when the file is read: shapes, axes, pads. */
const LARGEST_KNOWN = 4096;

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `ONNX: ${message}`);
}

class OnnxImporter {
  private readonly builder = new ImportBuilder('ONNX');
  private readonly values = new Map<string, Value>();
  private readonly parameters = new Map<Constant, string>();
  private readonly budget: Budget;
  private readonly opset: number;
  private readonly inputs: GraphInput[] = [];
  private given: ReadonlyMap<string, GivenInput> = new Map();

  constructor(
    private readonly model: OnnxModel,
    private readonly options: GraphImportOptions,
    /** Whether the first dimension of inputs is a batch even where the file says its size. */
    private readonly forPictures: boolean,
    readExternal: ReadExternal,
  ) {
    this.budget = new Budget(readExternal);
    this.opset =
      model.opsets.get('') ??
      (model.graph.nodes.some(isOwnDomain) ? fail("the file names no version of ONNX's operator set.") : OLDEST_OPSET);
    if (this.opset < OLDEST_OPSET) {
      fail(
        `the file uses operator set ${this.opset}; Graft reads ${OLDEST_OPSET} and newer. Convert it with onnx's version converter.`,
      );
    }
  }

  import(): GraphModel {
    const { graph } = this.model;
    for (const tensor of graph.initializers) {
      this.define(tensor.name, { ...this.budget.readTensor(tensor, tensor.name), isWeight: true });
    }
    const inputs = graph.inputs.filter(({ name }) => !this.values.has(name));
    if (this.forPictures) this.checkPictures(inputs);
    this.checkTensors(inputs);
    this.given = this.options.given?.(inputs.flatMap(declaration)) ?? new Map();
    for (const input of inputs) this.input(input);
    for (const node of graph.nodes) this.node(node);
    this.builder.throwProblems();
    const outputs = graph.outputs.map((output) => this.output(output));
    const computed = outputs.flatMap(({ name, layer }) => (layer === null ? [] : [{ name, layer }]));
    const built = this.builder.graph(computed);
    const used = new Set(built.graph.layers.map(({ name }) => name));
    return {
      name: graph.name,
      ...built,
      inputs: this.inputs.map((input) => ({
        ...input,
        layer: input.layer !== null && used.has(input.layer) ? input.layer : null,
      })),
      outputs,
    };
  }

  private define(name: string, value: Value): void {
    if (this.values.has(name)) fail(`${name} is defined twice.`);
    this.values.set(name, value);
  }

  private checkPictures(inputs: readonly OnnxValueInfo[]): void {
    const [input, ...others] = inputs;
    if (!input || others.length > 0) {
      const names = inputs.map(({ name }) => name).join(', ');
      fail(`the graph has ${inputs.length} inputs (${names}); Graft takes networks with 1.`);
    }
    if (input.dims.length !== 4 || !input.dims[1]) {
      const dims = input.dims.map((size) => size ?? '?').join(', ');
      fail(`its input ${input.name} is [${dims}]; pictures are [N, channels, height, width].`);
    }
    const { outputs } = this.model.graph;
    if (outputs.length !== 1) fail(`the graph has ${outputs.length} outputs; Graft takes networks with 1.`);
  }

  /** Sequences and optional values are no inputs that could be given. */
  private checkTensors(inputs: readonly OnnxValueInfo[]): void {
    for (const { name, dataType } of inputs) {
      if (valueType(dataType) === null) {
        const kind = dataType === 0 ? 'sequence or optional value' : `tensor of data type ${dataType}`;
        this.builder.problem(name, kind, 'an input of this type');
      }
    }
    this.builder.throwProblems();
  }

  private input(info: OnnxValueInfo): void {
    const { name, dims, hasShape } = info;
    const type = valueType(info.dataType) as ValueType;
    const given = this.given.get(name);
    const shape = given ? this.givenShape(info, given.shape) : this.ownShape(info);
    const declared = hasShape ? dims : null;
    if (shape.includes(0)) {
      const data = isWide(type) ? new Float64Array(0) : new Float32Array(0);
      this.define(name, { kind: 'constant', name, type, shape, data });
      this.inputs.push({ name, type, shape: declared, layer: null });
      return;
    }
    const isFirstOpen = dims.length > 0 && (this.forPictures || dims[0] === null);
    const batched = !given && isFirstOpen;
    const own = batched ? shape.slice(1) : shape;
    const layer = this.builder.add({ kind: 'input', name, inputs: [], shape: own, batched, type });
    const known: Constant | undefined = given?.data && { kind: 'constant', name, type, shape, data: given.data };
    this.define(name, { kind: 'layer', layer, type, ...(known && { known }) });
    this.inputs.push({ name, type, shape: declared, layer });
  }

  private givenShape({ name, dims, hasShape }: OnnxValueInfo, shape: readonly number[]): number[] {
    const fits =
      !hasShape || (shape.length === dims.length && dims.every((size, axis) => size === null || size === shape[axis]));
    if (fits) return [...shape];
    const declared = dims.map((size) => size ?? '?').join(', ');
    throw new ModelError('INVALID_ARGUMENT', `The input ${name} is [${declared}]; got [${shape.join(', ')}].`);
  }

  /** Open sizes of pictures are filled in; the batch is 1 for the time being. */
  private ownShape({ name, dims, hasShape }: OnnxValueInfo): number[] {
    if (!hasShape) fail(`its input ${name} has no shape in the file; give values for it.`);
    return dims.map((size, axis) => {
      if (axis === 0) return this.forPictures ? 1 : (size ?? 1);
      if (size !== null) return size;
      if (dims.length === 4 && axis >= 2) return this.options.inputSize ?? 224;
      return fail(`its input ${name} leaves the size of axis ${axis} open; give values for it.`);
    });
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
    const op = new Operation(node, this.opset, inputs, this.builder, this.parameters, report);
    const results = this.builder.converting(node.operator, this.options.report, () => this.results(op, before));
    node.outputs.forEach((name, index) => {
      if (name !== '') this.define(name, results[index] ?? null);
    });
  }

  private results(op: Operation, before: number): readonly Value[] {
    const isOwn = isOwnDomain(op.node);
    if (isOwn && op.inputs.every((input) => input === undefined || input?.kind === 'constant')) {
      const folded = fold(op, this.budget);
      if (folded) return folded;
    }
    if (isOwn && (op.node.operator === 'Shape' || op.node.operator === 'Size')) return [this.sizes(op)];
    const known = isOwn && isKnown(op) ? fold(op, this.budget) : null;
    // Layers have elements.
    if (known && op.inputs.some((input) => input?.kind === 'constant' && input.data.length === 0)) return known;
    const converted = this.convert(op, before, known !== null);
    if (!known) return converted;
    return known.map((constant, index) => {
      const value = converted[index];
      return value?.kind === 'layer' ? { ...value, known: constant } : constant;
    });
  }

  /** The sizes of a layer's value, the batch as NaN where it is open. */
  private sizes(op: Operation): Value {
    const value = op.inputs[0];
    if (!value) return null;
    const shape = value.kind === 'layer' ? [...op.shape(value.layer)] : [...value.shape];
    if (value.kind === 'layer' && this.builder.isBatched(value.layer)) shape[0] = Number.NaN;
    if (op.node.operator === 'Shape') return sizesOf(op, shape);
    const count = elementCount(shape);
    return op.result([], Float64Array.of(count), 'int64');
  }

  private convert(op: Operation, before: number, isFolded: boolean): readonly Value[] {
    const { node } = op;
    const converter = Object.hasOwn(CONVERTERS, node.operator) ? CONVERTERS[node.operator] : undefined;
    if (!isOwnDomain(node) || !converter) {
      if (!isFolded) op.problem(isOwnDomain(node) ? null : `domain ${node.domain}`);
      return [];
    }
    checkAttributes(op);
    if (this.builder.problems.length > before || op.inputs.some((input) => input === null)) return this.unknown(op);
    const result = converter(op);
    return Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
  }

  /** A side output (batch statistics of old operator sets) is unknown without a problem so far: report its reader. */
  private unknown(op: Operation): readonly Value[] {
    if (this.builder.problems.length === 0) op.problem('reads an output that Graft does not compute');
    return [];
  }

  private output({ name }: OnnxValueInfo): GraphOutput {
    const value = this.values.get(name);
    if (value === undefined) return fail(`the output ${name} does not exist.`);
    if (value === null) {
      this.builder.problem(name, 'output', 'is not computed');
      this.builder.throwProblems();
      return fail(`the output ${name} is not computed.`);
    }
    if (value.kind === 'layer') return { name, type: value.type, layer: value.layer, constant: null };
    return { name, type: value.type, layer: null, constant: { shape: value.shape, data: value.data } };
  }
}

/** An input as the file has it; none where it is no tensor. */
function declaration({ name, dataType, dims, hasShape }: OnnxValueInfo): Omit<GraphInput, 'layer'>[] {
  const type = valueType(dataType);
  return type ? [{ name, type, shape: hasShape ? dims : null }] : [];
}

const isOwnDomain = (node: OnnxNode): boolean => node.domain === '' || node.domain === 'ai.onnx';

/** Whether all inputs follow from what was given, and are few values. */
const isKnown = (op: Operation): boolean =>
  op.inputs.length > 0 &&
  op.inputs.every((input, index) => {
    if (input === undefined) return true;
    const constant = input === null ? undefined : op.constant(index);
    return constant !== undefined && constant.data.length <= LARGEST_KNOWN;
  });

function checkAttributes(op: Operation): void {
  const allowed = Object.hasOwn(ALLOWED_VALUES, op.node.operator) ? (ALLOWED_VALUES[op.node.operator] ?? {}) : {};
  for (const [name, values] of Object.entries(allowed)) {
    const attribute = op.node.attributes.get(name);
    if (!attribute) continue;
    const value = typeof values[0] === 'string' ? attribute.text : attribute.int;
    if (!values.includes(value)) op.problem(`${name} = ${value}`);
  }
}

/** Preprocessing and labels that Graft wrote into a file. Throws INVALID_NETWORK where they are damaged. */
function fromMetadata(metadata: ReadonlyMap<string, string>): ImportOptions {
  const read = (key: string): unknown => {
    const text = metadata.get(key);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text);
    } catch {
      return fail(`its metadata ${key} are no JSON.`);
    }
  };
  const preprocessing = read(METADATA_KEYS.preprocessing);
  const classes = read(METADATA_KEYS.classes);
  const areTexts = Array.isArray(classes) && classes.every((label) => typeof label === 'string');
  return {
    ...(preprocessing !== undefined && { preprocessing: parsePreprocessing(preprocessing, 'preprocessing') }),
    ...(areTexts && { classes }),
  };
}

/** Operator sets, and the program that wrote the file. */
function versionOf({ opsets, producer }: OnnxModel): string {
  const sets = [...opsets].map(([domain, version]) => `${domain || 'operator set'} ${version}`);
  return [...sets, ...(producer ? [`written by ${producer.slice(0, 100)}`] : [])].join(', ');
}

/** Whether bytes look like an ONNX file: a protobuf message that begins with the field ir_version, a small number. */
export function looksLikeOnnx(bytes: Uint8Array): boolean {
  const version = bytes[1] ?? 0;
  return bytes[0] === 0x08 && version >= 3 && version < 0x40;
}

/**
 * Imports an ONNX file (operator sets 7 and newer) as a graph with any number of inputs and outputs of any rank. Constants may be
 * initializers, Constant or ConstantOfShape nodes, or computed from shapes and other constants; `readExternal` gives files that hold
 * tensors of their own, by relative paths. Layers are named after the nodes, weights after the initializers.
 *
 * Throws INVALID_FILE, INVALID_ARGUMENT, INVALID_NETWORK, or UNSUPPORTED with everything that Graft has no layer for.
 */
export function importOnnxGraph(
  bytes: Uint8Array,
  options: GraphImportOptions = {},
  readExternal: ReadExternal = () => undefined,
): GraphModel {
  return new OnnxImporter(readOnnxModel(bytes), options, false, readExternal).import();
}

/**
 * Imports an ONNX file as a network: one picture input [N, C, H, W], whose first size counts as the batch even where the file says
 * it, and one output. A softmax in the file stays (see `endInLogits`). Throws as `importOnnxGraph`.
 */
export function importOnnx(
  bytes: Uint8Array,
  options: ImportOptions = {},
  readExternal: ReadExternal = () => undefined,
): Model {
  const { inputSize, report } = options;
  const file = readOnnxModel(bytes);
  const graph = new OnnxImporter(file, { ...(inputSize !== undefined && { inputSize }), report }, true, readExternal);
  const own = fromMetadata(file.metadata);
  if (report) {
    report.version = versionOf(file);
    report.preprocessing = own.preprocessing ?? {};
  }
  return asNetwork(graph.import(), {
    ...options,
    preprocessing: { ...own.preprocessing, ...options.preprocessing },
    classes: options.classes ?? own.classes,
  });
}
