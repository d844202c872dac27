import type { Model } from '../graph.js';
import type { ImportOptions } from './importBuilder.js';
import { convertKeras } from './keras/convert.js';
import { namedWeights } from './keras/namedWeights.js';
import { asObject } from './keras/json.js';
import { convertGraph } from './tfjs/graph/convert.js';
import { readManifest } from './tfjs/weights.js';

/** Whether parsed JSON looks like the model.json of a TF.js model. */
export function isTfjsModel(json: unknown): boolean {
  return json !== null && typeof json === 'object' && 'modelTopology' in json && 'weightsManifest' in json;
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
  return convertKeras('TF.js', file.modelTopology, namedWeights(weights), 'tfjs', options);
}
