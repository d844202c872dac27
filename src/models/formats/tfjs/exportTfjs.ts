import type { Conversion } from '../../conversion.js';
import { type ImportProblem, ModelError } from '../../errors.js';
import type { Model } from '../../graph.js';
import { Inexpressible, type KerasWeight, KerasWriter, plain } from './write/kerasWriter.js';
import { writeLayer } from './write/layers.js';

/** TF.js's own size of a weight file: what browsers keep in their caches. */
const SHARD_BYTES = 4 * 2 ** 20;
/** The version of the layers library that the topology is written for. */
const KERAS_VERSION = 'tfjs-layers 4.22.0';

/** Says whose metadata it is. */
export const GENERATOR = 'Graft';

export interface TfjsExport {
  /** `model.json` and its weight files. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly conversion: Conversion;
}

/**
 * Writes a network as a TF.js layers-model: a Keras model on pictures [N, H, W, C], weights in float32. Preprocessing and labels are in
 * `userDefinedMetadata`. Throws UNSUPPORTED with everything that TF.js has no layers for.
 */
export function writeTfjs(model: Model): TfjsExport {
  const { network } = model;
  const writer = new KerasWriter(model);
  const problems: ImportProblem[] = [];
  for (const layer of network.layers) {
    writer.convert(layer, () => {
      try {
        return writeLayer(writer, layer);
      } catch (error) {
        if (!(error instanceof Inexpressible)) throw error;
        problems.push({ layer: layer.name, kind: layer.kind, attribute: error.attribute });
        return plain('');
      }
    });
  }
  if (problems.length > 0) throw refusal(problems);
  const [input] = writer.layers;
  const config = {
    name: network.architecture,
    layers: writer.layers,
    input_layers: [[input?.name, 0, 0]],
    output_layers: [[writer.outputName, 0, 0]],
  };
  const { classes, preprocessing } = network;
  const shards = split(writer.weights);
  const json = {
    format: 'layers-model',
    generatedBy: GENERATOR,
    convertedBy: null,
    modelTopology: { class_name: 'Model', config, keras_version: KERAS_VERSION, backend: 'tensor_flow.js' },
    weightsManifest: [
      {
        paths: Object.keys(shards),
        weights: writer.weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      },
    ],
    userDefinedMetadata: { generatedBy: GENERATOR, preprocessing, classes },
  };
  const conversion: Conversion = {
    format: 'TF.js layers-model',
    version: KERAS_VERSION,
    mapped: writer.mappings.list(),
    folded: [],
    ignored: [],
  };
  return { files: { 'model.json': new TextEncoder().encode(JSON.stringify(json)), ...shards }, conversion };
}

/** The files of `writeTfjs` alone. */
export const exportTfjs = (model: Model): Record<string, Uint8Array> => ({ ...writeTfjs(model).files });

const LISTED = 40;

function refusal(problems: readonly ImportProblem[]): ModelError {
  const lines = problems
    .slice(0, LISTED)
    .map(({ layer, kind, attribute }) => `- ${kind} ${layer}${attribute === null ? '' : `: ${attribute}`}`);
  const more = problems.length > LISTED ? [`- and ${problems.length - LISTED} more`] : [];
  const message = `TF.js has no layers for ${problems.length} part(s) of this network; export ONNX instead:`;
  return new ModelError('UNSUPPORTED', [message, ...lines, ...more].join('\n'), problems);
}

/** All weights one after another, cut into files. */
function split(weights: readonly KerasWeight[]): Record<string, Uint8Array> {
  const total = weights.reduce((sum, { data }) => sum + data.byteLength, 0);
  const whole = new Uint8Array(total);
  const view = new DataView(whole.buffer);
  let offset = 0;
  for (const { data } of weights) {
    for (const value of data) {
      view.setFloat32(offset, value, true);
      offset += 4;
    }
  }
  const count = Math.max(1, Math.ceil(total / SHARD_BYTES));
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `group1-shard${index + 1}of${count}.bin`,
      whole.subarray(index * SHARD_BYTES, (index + 1) * SHARD_BYTES),
    ]),
  );
}
