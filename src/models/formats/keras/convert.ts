import type { Model } from '../../graph.js';
import { unitPreprocessing } from '../../preprocessing.js';
import { ImportBuilder, type ImportOptions } from '../importBuilder.js';
import { inFile } from '../tensorflow/inFile.js';
import { asSame, NotMapped, Target, type Value } from '../tensorflow/value.js';
import { type Dialect, isKnownActivation } from './activations.js';
import { Context, type KerasOperand, type WeightSource } from './context.js';
import { fail, show } from './json.js';
import { type Converter, LAYERS } from './layers.js';
import { OPERATIONS } from './operations.js';
import { type KerasLayer, type Operand, readTopology } from './topology.js';

/**
 * Turns a Keras model (its JSON, as TF.js, .h5 and .keras files have it, and its weights) into ours. `format` names the file's
 * format in errors. Throws INVALID_FILE, or UNSUPPORTED with everything that Graft has no layer for.
 */
export function convertKeras(
  format: string,
  json: unknown,
  source: WeightSource,
  dialect: Dialect,
  options: ImportOptions,
): Model {
  const topology = readTopology(json);
  const builder = new ImportBuilder(format);
  const values = new Map<string, Value | null>();
  for (const layer of topology.layers) {
    const problem = (attribute: string | null) => builder.problem(layer.id, layer.className, attribute);
    values.set(layer.id, convert(builder, layer, values, source, dialect, options, problem));
  }
  builder.throwProblems();
  const [output, ...others] = topology.outputs.map((id) => values.get(id));
  if (!output) fail('it has no output.');
  if (others.length > 0) {
    builder.problem(topology.name, 'model', `${topology.outputs.length} outputs; Graft takes networks with 1`);
    builder.throwProblems();
  }
  const own = filePreprocessing(topology.layers);
  if (options.report) options.report.preprocessing = own;
  const preprocessing = { ...own, ...options.preprocessing };
  const target = new Target(builder, topology.name);
  const { layer } = output.order === 'maps' ? output : asSame(target, output);
  return builder.build(topology.name, layer, { ...options, preprocessing });
}

/** Null where the layer, or one before it, could not be converted; the builder has been told of the problem. */
function convert(
  builder: ImportBuilder,
  layer: KerasLayer,
  values: ReadonlyMap<string, Value | null>,
  source: WeightSource,
  dialect: Dialect,
  options: ImportOptions,
  problem: (attribute: string | null) => void,
): Value | null {
  const name = layer.className === 'TFOpLambda' ? layer.config.function : undefined;
  const kind = typeof name === 'string' ? name : layer.className;
  const converter = converterOf(layer.isOperation, kind);
  if (!converter) {
    problem(kind === layer.className ? null : `function = ${show(kind)}`);
    return null;
  }
  const { activation } = layer.config;
  if (!isKnownActivation(activation)) {
    problem(`activation = ${show(activation)}`);
    return null;
  }
  const operand = (item: Operand): KerasOperand | null => {
    if ('value' in item) return { constant: item.value };
    const value = values.get(item.layer);
    return value ? { value } : null;
  };
  const operands = layer.inputs.map(operand);
  const named = [...layer.named].map(([name, item]) => [name, operand(item)] as const);
  if (operands.includes(null) || named.some(([, item]) => item === null)) return null;
  const context = new Context(
    builder,
    layer,
    operands as KerasOperand[],
    new Map(named as [string, KerasOperand][]),
    source,
    dialect,
    options,
  );
  try {
    return builder.converting(layer.className, options.report, () => converter(context));
  } catch (error) {
    if (!(error instanceof NotMapped)) throw inFile(error, 'Keras model', `${layer.id} (${layer.className})`);
    problem(error.attribute);
    return null;
  }
}

/** An operation of an old file that has the name of a layer only is that layer. */
function converterOf(isOperation: boolean, kind: string): Converter | undefined {
  if (isOperation && Object.hasOwn(OPERATIONS, kind)) return OPERATIONS[kind];
  return Object.hasOwn(LAYERS, kind) ? LAYERS[kind] : undefined;
}

const RAW = new Set(['Rescaling', 'Normalization']);

/** A network that begins by scaling its pictures itself wants them as bytes, 0 to 255. */
function filePreprocessing(layers: readonly KerasLayer[]) {
  const [input] = layers.filter(({ className }) => className === 'InputLayer');
  const reader = layers.find(({ inputs }) => inputs.some((item) => 'layer' in item && item.layer === input?.id));
  if (!reader || !RAW.has(reader.className)) return {};
  const { fit, cropFraction, interpolation } = unitPreprocessing(1, 1);
  return { fit, cropFraction, interpolation, channelOrder: 'RGB', scale: 1, mean: [0, 0, 0], std: [1, 1, 1] } as const;
}
