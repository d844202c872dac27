import type { Model } from '../graph.js';
import { parsePreprocessing } from '../networkJson.js';
import type { ImportOptions } from './importBuilder.js';
import { convertKeras } from './keras/convert.js';
import { namedWeights } from './keras/namedWeights.js';
import { asObject } from './keras/json.js';
import { convertGraph } from './tfjs/graph/convert.js';
import { GENERATOR } from './tfjs/exportTfjs.js';
import { readManifest } from './tfjs/weights.js';

/** Whether parsed JSON looks like the model.json of a TF.js model. */
export function isTfjsModel(json: unknown): json is { modelTopology: unknown; weightsManifest: unknown } {
  return json !== null && typeof json === 'object' && 'modelTopology' in json && 'weightsManifest' in json;
}

/** Whether the model.json is a graph-model: a frozen graph of TensorFlow rather than layers of Keras. */
export function isTfjsGraph({ modelTopology }: { readonly modelTopology?: unknown }): boolean {
  return modelTopology !== null && typeof modelTopology === 'object' && 'node' in modelTopology;
}

/**
 * Imports a TF.js layers-model (Keras), nested models dissolved, or a graph-model (a frozen graph of TensorFlow), with one input and one
 * output. `json` is the parsed model.json; `shard` gives the bytes of a path in its weightsManifest, or undefined.
 *
 * Weights of layers keep their Keras names (`layer/kernel`) in PyTorch's order of axes. `same` padding becomes explicit. A softmax in
 * the file stays (see `endInLogits`). Throws INVALID_FILE, or UNSUPPORTED with everything that Graft has no layer for.
 */
export function importTfjs(
  json: unknown,
  shard: (path: string) => Uint8Array | undefined,
  options: ImportOptions = {},
): Model {
  const file = asObject(json, 'the file');
  const weights = readManifest(file.weightsManifest, shard);
  const topology = asObject(file.modelTopology, 'modelTopology');
  if ('node' in topology) return convertGraph(file, weights, options);
  const own = metadata(file.userDefinedMetadata);
  const model = convertKeras('TF.js', file.modelTopology, namedWeights(weights), 'tfjs', {
    ...own,
    ...options,
    preprocessing: { ...own.preprocessing, ...options.preprocessing },
  });
  if (options.report && own.preprocessing) options.report.preprocessing = own.preprocessing;
  return model;
}

/** Preprocessing and labels where Graft wrote the file; what others keep there is theirs. */
function metadata(value: unknown): Pick<ImportOptions, 'preprocessing' | 'classes'> {
  if (value === null || typeof value !== 'object') return {};
  const { generatedBy, preprocessing, classes } = value as Readonly<Record<string, unknown>>;
  if (generatedBy !== GENERATOR) return {};
  return {
    ...(preprocessing !== undefined && { preprocessing: parsePreprocessing(preprocessing, 'preprocessing') }),
    ...(Array.isArray(classes) && classes.every((label) => typeof label === 'string') && { classes }),
  };
}
