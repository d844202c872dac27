import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Engine } from '../kernels/engine.js';
import { importGraph } from '../models/detect.js';
import { ModelError } from '../models/errors.js';
import { smallValue } from '../models/formats/codes.js';
import { type NpyArray, readNpy, writeNpy } from '../models/formats/npy.js';
import type { GivenInput, GraphInput, GraphModel } from '../models/graphModel.js';
import type { ValueType } from '../models/layers/input.js';
import { openEngine, releaseGpu } from '../runtime/gpu.js';
import { type GraphValue, runGraph } from '../training/runGraph.js';
import { assign, parseInfer } from './inferArguments.js';
import { readModelFiles } from './modelFiles.js';
import { EXIT } from './usage.js';

type Declared = Omit<GraphInput, 'layer'>;

function invalid(message: string): ModelError {
  return new ModelError('INVALID_ARGUMENT', message);
}

const isInteger = (type: ValueType): boolean => /^u?int/.test(type);

/**
 * The array of `[NAME=]PATH`. Which part is the name is known only once the model is read, and the model only once the shapes of its
 * inputs are known: the longest end of the text that is a file counts.
 */
async function readInput(spec: string): Promise<NpyArray> {
  for (let start = 0; ; ) {
    try {
      return readNpy(await readFile(spec.slice(start)));
    } catch (error) {
      if (error instanceof ModelError) throw invalid(`The input ${spec}: ${error.message}`);
      const next = spec.indexOf('=', start);
      if (next < 0) throw invalid(`The input ${spec} cannot be read: ${(error as Error).message}.`);
      start = next + 1;
    }
  }
}

/** What an array means for an input: whole numbers for integers; the codes of types that NumPy does not have. */
function valuesFor({ name, type }: Declared, array: NpyArray): Float64Array {
  const isCoded = array.type.startsWith('V');
  const data = isCoded ? Float64Array.from(array.data, (code) => smallValue(code, type)) : array.data;
  if (isInteger(type) && data.some((value) => !Number.isInteger(value))) {
    throw invalid(`The input ${name} is ${type}; its array has values that are not whole.`);
  }
  return data;
}

/** float32, which the engine computes in. Integers that it does not hold are refused. */
function forEngine({ name, type }: Declared, data: Float32Array | Float64Array): Float32Array {
  const values = Float32Array.from(data);
  if (isInteger(type) && values.some((value, index) => value !== data[index])) {
    throw invalid(`The input ${name} has integers beyond 2^24 that float32, in which Graft computes, does not hold.`);
  }
  return values;
}

/** Integers that a graph could not compute exactly are NaN. */
function checkExact(name: string, type: ValueType, data: Float32Array | Float64Array): void {
  if (isInteger(type) && !data.every((value) => Number.isInteger(value))) {
    throw invalid(`The output ${name} has integers beyond 2^24 that float32, in which Graft computes, does not hold.`);
  }
}

async function compute(model: GraphModel, values: ReadonlyMap<string, GivenInput>): Promise<Map<string, GraphValue>> {
  const inputs = new Map<string, GraphValue>();
  for (const input of model.inputs) {
    if (input.layer === null) continue;
    const given = values.get(input.name);
    if (!given?.data) throw invalid(`The input ${input.name} is missing: give it as --input ${input.name}=FILE.npy.`);
    inputs.set(input.layer, { shape: given.shape, data: forEngine(input, given.data) });
  }
  if (model.graph.outputs.length === 0) return new Map();
  const engine: Engine = await openEngine();
  try {
    return await runGraph(engine, model.graph, model.weights, inputs);
  } finally {
    engine.destroy();
    releaseGpu();
  }
}

/** 5 significant digits are what people read. */
const rounded = (value: number): number => Number(value.toPrecision(5));

/** One line of what the file system says against writing a file. */
async function writing(target: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw invalid(`The output file ${target} cannot be written: ${(error as Error).message}.`);
  }
}

function summary(
  name: string,
  type: ValueType,
  { shape, data }: GraphValue | NonNullable<GraphModel['outputs'][number]['constant']>,
): string {
  let [least, most, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const value of data) {
    least = Math.min(least, value);
    most = Math.max(most, value);
    sum += value;
  }
  const ends = isInteger(type) ? [least, most] : [least, most].map(rounded);
  const range = data.length === 0 ? 'empty' : `from ${ends[0]} to ${ends[1]}, mean ${rounded(sum / data.length)}`;
  return `${name}: ${type} [${shape.join(', ')}], ${range}\n`;
}

/** Runs a model once on arrays of .npy files and writes its outputs as such; without --output, says what they are like. */
export async function infer(args: readonly string[]): Promise<number> {
  const { model: path, inputs, outputs, size } = parseInfer(args);
  const files = await readModelFiles(path);
  const arrays = new Map<string, NpyArray>();
  for (const spec of inputs) arrays.set(spec, await readInput(spec));
  const values = new Map<string, GivenInput>();
  const given = (declared: readonly Declared[]): ReadonlyMap<string, GivenInput> => {
    const assigned = assign(
      inputs,
      declared.map(({ name }) => name),
      'input',
    );
    for (const input of declared) {
      const array = arrays.get(assigned.get(input.name)?.spec ?? '');
      if (array) values.set(input.name, { shape: array.shape, data: valuesFor(input, array) });
    }
    return values;
  };
  const model = importGraph(files, { given, ...(size !== null && { inputSize: size }) });
  if (model.format !== 'onnx') given(model.inputs);
  const targets = assign(
    outputs,
    model.outputs.map(({ name }) => name),
    'output',
  );
  for (const { path: target } of targets.values()) {
    await writing(target, () => mkdir(dirname(target), { recursive: true }));
  }
  const computed = await compute(model, values);
  for (const { name, type, constant } of model.outputs) {
    const value = constant ?? (computed.get(name) as GraphValue);
    if (outputs.length === 0) process.stdout.write(summary(name, type, value));
    const target = targets.get(name)?.path;
    if (target === undefined) continue;
    checkExact(name, type, value.data);
    const array = writeNpy(value.shape, value.data, type);
    await writing(target, async () => {
      await writeFile(`${target}.part`, array);
      await rename(`${target}.part`, target);
    });
  }
  return EXIT.ok;
}
