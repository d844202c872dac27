import type { Model } from '../../../graph.js';
import type { WeightTensor } from '../../../network.js';
import { ImportBuilder, type ImportOptions } from '../../importBuilder.js';
import { asObject, asText, fail, type JsonObject } from '../../keras/json.js';
import { isSharedOut } from '../../tensorflow/dilated.js';
import { inFile } from '../../tensorflow/inFile.js';
import type { Operand } from '../../tensorflow/operatorContext.js';
import { asSame, isConstant, NotMapped, Target } from '../../tensorflow/value.js';
import { Context } from './context.js';
import { type GraphNode, inOrder, readNodes, type Reference, reference } from './nodes.js';
import { OPERATORS } from './operators.js';

const FORMAT = 'TF.js graph-model';

/** By name and output; null for what could not be converted. */
type Results = Map<string, readonly (Operand | null)[]>;

/** Many nodes may read one constant: what all of them get together is bounded by what the file holds. */
class Budget {
  constructor(private left: number) {}

  spend(elements: number): void {
    this.left -= elements;
    if (this.left < 0) fail('its nodes read the same weights again and again.');
  }
}

/** Imports a frozen graph of TensorFlow, as tensorflowjs_converter writes it. */
export function convertGraph(
  file: JsonObject,
  weights: ReadonlyMap<string, WeightTensor>,
  options: ImportOptions,
): Model {
  const nodes = readNodes(asObject(file.modelTopology, 'modelTopology'));
  const builder = new ImportBuilder(FORMAT);
  const outputs = outputsOf(file, nodes);
  const order = inOrder(nodes, outputs);
  const readers = countReaders(order);
  let held = 1_000_000;
  for (const { data } of weights.values()) held += 4 * data.length;
  const budget = new Budget(held);
  const results: Results = new Map();
  for (const node of order) {
    results.set(node.name, convertNode(node, builder, weights, results, readers, budget, options));
  }
  const [output, ...others] = outputs;
  const inputs = order.filter(({ op }) => op === 'Placeholder').length;
  if (inputs !== 1 || others.length > 0) {
    builder.problem('graph', 'signature', `${inputs} inputs and ${outputs.length} outputs; Graft takes 1 of each`);
  }
  builder.throwProblems();
  const value = output && results.get(output.node)?.[output.output];
  if (!value || isConstant(value) || isSharedOut(value)) fail('its output is computed by no node.');
  const { layer } = value.order === 'maps' ? value : asSame(new Target(builder, 'output'), value);
  return builder.build('tfjs_graph', layer, options);
}

/** As the signature says, else the nodes that none reads. */
function outputsOf(file: JsonObject, nodes: ReadonlyMap<string, GraphNode>): Reference[] {
  const signature = file.signature ?? asObject(file.userDefinedMetadata ?? {}, 'userDefinedMetadata').signature;
  const named = signature === undefined || signature === null ? {} : asObject(signature, 'signature').outputs;
  const tensors = Object.values(asObject(named ?? {}, 'outputs of signature'));
  if (tensors.length > 0) {
    return tensors.map((tensor) => reference(asText(asObject(tensor, 'an output').name, 'name of an output')));
  }
  const read = new Set([...nodes.values()].flatMap(({ inputs }) => inputs.map(({ node }) => node)));
  const last = [...nodes.values()].filter(({ name, op }) => !read.has(name) && op !== 'Const' && op !== 'NoOp');
  if (last.length === 0) fail('no node is its output.');
  return last.map(({ name }) => ({ node: name, output: 0 }));
}

function countReaders(order: readonly GraphNode[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { inputs } of order) for (const { node } of inputs) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}

function convertNode(
  node: GraphNode,
  builder: ImportBuilder,
  weights: ReadonlyMap<string, WeightTensor>,
  results: Results,
  readers: ReadonlyMap<string, number>,
  budget: Budget,
  options: ImportOptions,
): readonly (Operand | null)[] {
  const { name, op, inputs } = node;
  if (op === 'Const') return [weights.get(name) ?? fail(`the weight ${name} is missing from weightsManifest.`)];
  const converter = Object.hasOwn(OPERATORS, op) ? OPERATORS[op] : undefined;
  if (!converter) {
    builder.problem(name, op, null);
    return [];
  }
  const operands = inputs.map((input) => results.get(input.node)?.[input.output] ?? null);
  if (operands.includes(null)) return [];
  for (const operand of operands) if (operand && isConstant(operand)) budget.spend(operand.data.length);
  const context = new Context(builder, node, operands, options, (place) => readers.get(inputs[place]?.node ?? '') ?? 0);
  try {
    const result = builder.converting(op, options.report, () => converter(context));
    return Array.isArray(result) ? (result as readonly Operand[]) : [result as Operand];
  } catch (error) {
    if (!(error instanceof NotMapped)) throw inFile(error, FORMAT, `${name} (${op})`);
    builder.problem(name, op, error.attribute);
    return [];
  }
}
