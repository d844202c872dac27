import { unsupported } from '../errors.js';
import type { Model } from '../graph.js';
import { ImportBuilder, type ImportOptions } from './importBuilder.js';
import type { Value } from './tfjs/context.js';
import { KerasConverter } from './tfjs/convert.js';
import { asObject, fail } from './tfjs/json.js';
import { readTopology } from './tfjs/topology.js';
import { readManifest, weightFinder } from './tfjs/weights.js';

/** Whether parsed JSON looks like the model.json of a TF.js layers-model. */
export function isTfjsModel(json: unknown): boolean {
  return json !== null && typeof json === 'object' && 'modelTopology' in json && 'weightsManifest' in json;
}

/**
 * Imports a TF.js layers-model (Keras): Sequential and Functional models with one input and one output, nested ones
 * dissolved. `json` is the parsed model.json; `shard` gives the bytes of a path in its weightsManifest, or undefined.
 *
 * Weights keep their Keras names (`layer/kernel`) in PyTorch's order of axes. `same` padding becomes explicit. A softmax in
 * the file stays (see `endInLogits`). Throws INVALID_FILE, or UNSUPPORTED with everything that Graft has no layer for.
 */
export function importTfjs(
  json: unknown,
  shard: (path: string) => Uint8Array | undefined,
  options: ImportOptions = {},
): Model {
  const file = asObject(json, 'the file');
  const topology = readTopology(file.modelTopology);
  const builder = new ImportBuilder('TF.js');
  const converter = new KerasConverter(builder, weightFinder(readManifest(file.weightsManifest, shard)), options);
  const values = new Map<string, Value | null>();
  for (const layer of topology.layers) {
    const inputs = layer.inputs.map((id) => values.get(id) ?? null);
    values.set(layer.id, converter.convert(layer, inputs));
  }
  builder.throwProblems();
  const output = values.get(topology.output);
  if (!output) fail(`its output ${topology.output} does not exist.`);
  if (output.flattened) {
    const attribute = 'the network ends in a flattened map of more than one pixel';
    throw unsupported('TF.js', [{ layer: topology.output, kind: 'output', attribute }]);
  }
  return builder.build(topology.name, output.layer, options);
}
