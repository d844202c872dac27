import type { Engine } from '../kernels/engine.js';
import { areProbabilities, largestDifference, softmaxRows, TOLERANCE } from '../models/comparison.js';
import { withOutputs } from '../models/formats/onnx/addOutputs.js';
import { valuesOfLayers } from '../models/formats/onnx/layerValues.js';
import { readOnnxModel } from '../models/formats/onnx/proto.js';
import type { Model } from '../models/graph.js';
import { normalized } from '../models/preprocessing.js';
import type { Comparison } from '../models/receipt.js';
import { graphShapes } from '../models/shapes.js';
import type { OtherEngine } from '../runtime/onnxRuntime.js';
import { inferenceBatchSize, inputLayer } from '../training/inference.js';
import { layerValues } from '../training/layerValues.js';

export interface ReferenceRun {
  /** What the network reads, one row for each name, or pictures of its size as bytes. */
  readonly inputs: Float32Array | Uint8Array;
  readonly names: readonly string[];
  /** What it ought to give, as many rows. */
  readonly expected: Float32Array;
  /** Where that came from. */
  readonly source: string;
  readonly tolerance: number;
}

/** Computes reference inputs and compares with reference outputs. Throws where they do not fit the network. */
export async function compareReference(
  engine: Engine,
  model: Model,
  { inputs, names, expected, source, tolerance }: ReferenceRun,
): Promise<Comparison> {
  const last = model.network.layers.at(-1)?.name as string;
  const count = names.length;
  const computed = await outputs(engine, model, inputs, count, last);
  if (computed.length !== expected.length) {
    const [ours, theirs] = [computed.length / count, expected.length / count];
    throw new Error(
      `the network gives ${ours} values for each input; the reference has ${theirs} for each of ${count}`,
    );
  }
  const endsInSoftmax = model.network.layers.at(-1)?.kind === 'softmax';
  const areLogits = !endsInSoftmax && !areProbabilities(expected, count);
  const ours = areLogits || endsInSoftmax ? computed : softmaxRows(computed, count);
  const { absolute, relative, row } = largestDifference(ours, expected, count);
  return {
    against: `reference outputs (${source})`,
    inputs: count,
    values: areLogits ? 'logits' : 'probabilities',
    largestDifference: absolute,
    relativeDifference: relative,
    input: names[row] as string,
    tolerance,
    divergingLayer: null,
  };
}

/** The network's outputs, in batches that predictions would have. */
async function outputs(
  engine: Engine,
  model: Model,
  inputs: Float32Array | Uint8Array,
  count: number,
  last: string,
): Promise<Float32Array> {
  const size = inputs.length / count;
  const batch = Math.min(count, inferenceBatchSize(engine));
  const parts: Float32Array[] = [];
  for (let start = 0; start < count; start += batch) {
    const end = Math.min(count, start + batch);
    const values = await layerValues(engine, model, inputs.slice(start * size, end * size), end - start, [last]);
    parts.push(values.get(last) as Float32Array);
  }
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/**
 * The first layer whose values another engine gives otherwise from the file that the network was imported from, for one input.
 * Where it gives the same everywhere and the input was a picture, the preprocessing is to blame: that is the input's name then.
 */
export async function findImportDivergence(
  engine: Engine,
  model: Model,
  file: Uint8Array,
  other: OtherEngine,
  input: Float32Array | Uint8Array,
): Promise<Comparison['divergingLayer']> {
  const first = inputLayer(model.network);
  const { graph } = readOnnxModel(file);
  const { batched } = graphShapes(model.network);
  const names = model.network.layers.map(({ name }) => name).filter((name) => name !== first.name && batched.has(name));
  const candidates = valuesOfLayers(graph.nodes, names);
  const layers = names.filter((name) => candidates.has(name));
  const ours = await layerValues(engine, model, input, 1, layers);
  const data = input instanceof Uint8Array ? normalized(input, model.network.preprocessing) : input;
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const feed = graph.inputs.find(({ name }) => !constants.has(name))?.name ?? first.name;
  const asked = new Set([...candidates.values()].flat());
  for (const { name } of graph.outputs) asked.delete(name);
  const theirs = await other.run(withOutputs(file, [...asked]), { [feed]: { shape: [1, ...first.shape], data } });
  for (const name of layers) {
    const actual = ours.get(name) as Float32Array;
    const differences = (candidates.get(name) ?? []).flatMap((value) => {
      const expected = theirs[value];
      return expected?.length === actual.length ? [largestDifference(actual, expected, 1).relative] : [];
    });
    const least = Math.min(...differences);
    if (differences.length > 0 && least > TOLERANCE) return { name, relativeDifference: least };
  }
  return null;
}
