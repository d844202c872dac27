import { buildArchitecture } from './architectures/registry.js';
import { importModel } from './detect.js';
import { ModelError } from './errors.js';
import { importTfjs } from './formats/tfjs.js';
import type { Model } from './graph.js';
import { initializeWeights } from './initialize.js';
import type { Network } from './network.js';
import { simplify } from './simplify.js';
import { truncateAt } from './surgery.js';
import type { ZooEntry, ZooFile, ZooWeights } from './zoo/manifest.js';
import { readModelBundle, readShardBundle } from './zoo/nsfwjs.js';

/** Gives the verified content of a zoo entry's file, wherever it comes from. */
export type ReadZooFile = (file: ZooFile) => Promise<Uint8Array>;

async function readNsfwjs(weights: ZooWeights, read: ReadZooFile): Promise<Model> {
  const files = await Promise.all(weights.files.map(async (file) => ({ file, bytes: await read(file) })));
  const text = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes);
  const shards = new Map<string, Uint8Array>();
  let model: unknown;
  for (const { file, bytes } of files) {
    const [name = ''] = file.name.split('.');
    if (name === 'model') model = readModelBundle(text(bytes));
    else shards.set(name, readShardBundle(text(bytes)));
  }
  return importTfjs(model, (path) => shards.get(path));
}

async function readCheckpoint(entry: ZooEntry, weights: ZooWeights, read: ReadZooFile): Promise<Model> {
  const [file] = weights.files as readonly [ZooFile];
  const { network, weights: tensors } = importModel(
    { [file.name]: await read(file) },
    { inputSize: entry.inputSize[1], preprocessing: entry.preprocessing },
  );
  if (network.architecture !== entry.architecture) {
    throw new ModelError(
      'INVALID_FILE',
      `${file.name} holds the network ${network.architecture}; ${entry.id} of the zoo is ${entry.architecture}.`,
    );
  }
  return { network, weights: tensors };
}

/** The architecture of a zoo entry with all of its outputs, without weights. */
export function zooArchitecture(entry: ZooEntry): Network {
  const { architecture, inputSize, preprocessing } = entry;
  return {
    ...buildArchitecture(architecture, {
      inputSize: inputSize[1],
      ...(entry.classes ? { classes: entry.classes } : {}),
    }),
    preprocessing,
  };
}

/** The architecture of a zoo entry with random weights, whether or not weights of it are published. */
export function buildZooNetwork(entry: ZooEntry, seed: number): Model {
  const network = zooArchitecture(entry);
  return { network, weights: initializeWeights(network, seed) };
}

/**
 * The network of a zoo entry with its published weights, and with labels where it has outputs. An entry whose weights are cut ends
 * in features; `replaceHead` gives it a classifier. Throws ModelError; INVALID_ARGUMENT where no weights are published.
 */
export async function readZooNetwork(entry: ZooEntry, read: ReadZooFile): Promise<Model> {
  const { architecture, preprocessing, weights } = entry;
  if (!weights) throw new ModelError('INVALID_ARGUMENT', `No weights are published for ${entry.id}.`);
  const whole =
    weights.format === 'nsfwjs' ? await readNsfwjs(weights, read) : await readCheckpoint(entry, weights, read);
  const { network, weights: tensors } =
    weights.cutAfter === null ? whole : truncateAt(whole.network, whole.weights, weights.cutAfter);
  return simplify({
    network: { ...network, architecture, preprocessing, classes: entry.labels },
    weights: tensors,
  });
}
