import type { ImportReport } from '../conversion.js';
import type { Model } from '../graph.js';
import type { Preprocessing } from '../network.js';
import { ImportBuilder, type ImportOptions } from './importBuilder.js';
import { asSame, isConstant, NotMapped, Target, type Value } from './tensorflow/value.js';
import { Constants, TENSOR_TYPES } from './tflite/constants.js';
import type { Operand } from './tensorflow/operatorContext.js';
import { Context } from './tflite/context.js';
import { OPERATOR_NAMES } from './tflite/operatorNames.js';
import { OPERATORS } from './tflite/operators.js';
import { readTflite, type TfliteModel, type TfliteOperator, type TfliteTensor } from './tflite/schema.js';
import { isSharedOut } from './tensorflow/dilated.js';
import { inFile } from './tensorflow/inFile.js';

export { looksLikeTflite } from './tflite/schema.js';

const FORMAT = 'TensorFlow Lite';

/**
 * Imports a TensorFlow Lite network (its first subgraph) with one picture as input and one output. Quantised weights become float32;
 * the rounding of quantised activations is left out, which the report says. Where the input is quantised, its scale and zero point
 * give the preprocessing. Layers are called after the tensors that they compute.
 *
 * Throws INVALID_FILE, or UNSUPPORTED with everything that Graft has no layer for.
 */
export function importTflite(bytes: Uint8Array, options: ImportOptions = {}): Model {
  const model = readTflite(bytes);
  const { file } = model;
  const builder = new ImportBuilder(FORMAT);
  const constants = new Constants(model);
  const values = new Map<number, Operand | null>();
  const [input, ...otherInputs] = model.inputs;
  const tensor = model.tensors[input ?? -1] ?? file.fail('its input is no tensor.');
  if (otherInputs.length > 0 || model.outputs.length !== 1) {
    const found = `${model.inputs.length} inputs and ${model.outputs.length} outputs`;
    builder.problem(model.description || 'model', 'SubGraph', `${found}; Graft takes networks with 1 of each`);
  }
  const picture = addInput(builder, tensor, options);
  values.set(input as number, picture);
  for (const operator of model.operators) {
    convert(model, operator, builder, constants, values, options.report);
  }
  builder.throwProblems();
  const output = values.get(model.outputs[0] as number);
  if (!output || isConstant(output) || isSharedOut(output)) return file.fail('its output is computed by no operator.');
  const { layer } = output.order === 'maps' ? output : asSame(new Target(builder, 'output'), output);
  const own = inputPreprocessing(tensor);
  if (options.report) tell(options.report, model, own);
  return builder.build('tflite', layer, { ...options, preprocessing: { ...own, ...options.preprocessing } });
}

/** Names may be joined from many by semicolons where the converter has merged operators; the first says enough. */
const shortName = ({ name }: TfliteTensor): string => (name.split(';')[0] as string).slice(0, 256);

function addInput(builder: ImportBuilder, tensor: TfliteTensor, options: ImportOptions): Value | null {
  const sizes = tensor.shape.map((size, axis) => {
    const isOpen = tensor.signature[axis] === -1 && (axis === 1 || axis === 2);
    return isOpen ? (options.inputSize ?? 224) : size;
  });
  const [, height, width, channels] = sizes;
  const name = shortName(tensor);
  if (sizes.length !== 4 || !height || !width || !channels) {
    builder.problem(name, 'input', `shape = [${sizes.join(', ')}]; pictures are [1, height, width, channels]`);
    return null;
  }
  const shape = [channels, height, width];
  const layer = builder.add({ name, inputs: [], kind: 'input', shape, batched: true, type: 'float32' });
  return { layer, order: 'maps' };
}

/** value = scale (byte - zero point); bytes of int8 inputs are 128 less. */
function inputPreprocessing({ type, quantization }: TfliteTensor): Partial<Preprocessing> {
  const [scale] = quantization?.scales ?? [];
  if (scale === undefined || !(scale > 0) || (type !== TENSOR_TYPES.uint8 && type !== TENSOR_TYPES.int8)) return {};
  const zero = (quantization?.zeroPoints[0] ?? 0) + (type === TENSOR_TYPES.int8 ? 128 : 0);
  const std = 1 / scale;
  return { channelOrder: 'RGB', scale: 1, mean: [zero, zero, zero], std: [std, std, std] };
}

function convert(
  model: TfliteModel,
  operator: TfliteOperator,
  builder: ImportBuilder,
  constants: Constants,
  values: Map<number, Operand | null>,
  report: ImportReport | undefined,
): void {
  const { file } = model;
  const kind = OPERATOR_NAMES[operator.code] ?? `operator ${operator.code}`;
  const shown = kind === 'CUSTOM' ? `CUSTOM ${operator.custom.slice(0, 80)}` : kind;
  const output = model.tensors[operator.outputs[0] ?? -1] ?? file.fail(`${shown} has no output.`);
  const name = shortName(output) || shown;
  const set = (results: readonly (Operand | null)[]) =>
    operator.outputs.forEach((tensor, place) => {
      if (values.has(tensor)) file.fail(`the tensor ${name} is computed twice.`);
      values.set(tensor, results[place] ?? null);
    });
  const converter = Object.hasOwn(OPERATORS, kind) ? OPERATORS[kind] : undefined;
  if (!converter) {
    builder.problem(name, shown, null);
    set([]);
    return;
  }
  try {
    const operands = operator.inputs.map((tensor) => operandOf(model, tensor, constants, values));
    if (operands.includes(undefined)) {
      set([]);
      return;
    }
    const context = new Context(builder, name, operator, operands as (Operand | null)[]);
    const result = builder.converting(kind, report, () => converter(context));
    const results = Array.isArray(result) ? (result as readonly Operand[]) : [result as Operand];
    set(results);
  } catch (error) {
    if (!(error instanceof NotMapped)) throw inFile(error, FORMAT, `${name} (${kind})`);
    builder.problem(name, kind, error.attribute);
    set([]);
  }
}

/** Null for an input that is left out; undefined for one that could not be converted. */
function operandOf(
  { file, tensors }: TfliteModel,
  index: number,
  constants: Constants,
  values: ReadonlyMap<number, Operand | null>,
): Operand | null | undefined {
  if (index === -1) return null;
  const value = values.get(index);
  if (value && isConstant(value)) constants.spend(value.data.length);
  if (values.has(index)) return value ?? undefined;
  if (constants.has(index)) return constants.get(index);
  const name = tensors[index]?.name.slice(0, 80) ?? `tensor ${index}`;
  return file.fail(`${name} is read before it is computed, or does not exist.`);
}

function tell(report: ImportReport, model: TfliteModel, own: Partial<Preprocessing>): void {
  const { version, tensors, subgraphs } = model;
  report.version = String(version);
  report.preprocessing = own;
  const isQuantized = ({ type, quantization }: TfliteTensor) => quantization !== null && type !== TENSOR_TYPES.float32;
  const quantized = tensors.filter(isQuantized);
  const weights = quantized.filter(({ data }) => data.length > 0).length;
  if (weights > 0) report.folded(`${weights} quantised weights dequantised to float32`);
  const activations = quantized.length - weights;
  if (activations > 0) report.ignored(`rounding of ${activations} quantised activations`, 'Graft computes in float32');
  if (subgraphs > 1) report.ignored(`${subgraphs - 1} more subgraphs`, 'the first is the network');
}
