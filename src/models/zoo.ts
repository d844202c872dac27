import { buildArchitecture } from './architectures/registry.js';
import { type Conversion, ImportReport } from './conversion.js';
import { importModel, type ModelFiles } from './detect.js';
import { ModelError } from './errors.js';
import { importTfjs } from './formats/tfjs.js';
import type { Model } from './graph.js';
import { initializeWeights } from './initialize.js';
import type { Network } from './network.js';
import { simplify } from './simplify.js';
import { truncateAt } from './surgery.js';
import type { ZooEntry, ZooFile } from './zoo/manifest.js';
import { readModelBundle, readShardBundle } from './zoo/nsfwjs.js';

/** Gives the verified content of a zoo entry's file, wherever it comes from. */
export type ReadZooFile = (file: ZooFile) => Promise<Uint8Array>;

/** A network with its published weights, and what was done to the files. */
export interface ZooModel extends Model {
  readonly files: ModelFiles;
  readonly conversion: Conversion;
}

function readNsfwjs(files: ModelFiles): Omit<ZooModel, 'files'> {
  const text = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes);
  const shards = new Map<string, Uint8Array>();
  let model: unknown;
  for (const [file, bytes] of Object.entries(files)) {
    const [name = ''] = file.split('.');
    if (name === 'model') model = readModelBundle(text(bytes));
    else shards.set(name, readShardBundle(text(bytes)));
  }
  const report = new ImportReport();
  const imported = importTfjs(model, (path) => shards.get(path), { report });
  return { ...imported, conversion: report.conversion('TF.js layers-model in the bundles of nsfwjs') };
}

function readCheckpoint(entry: ZooEntry, files: ModelFiles): Omit<ZooModel, 'files'> {
  const { architecture, inputSize, preprocessing } = entry;
  const imported = importModel(files, { architecture, inputSize: inputSize[1], preprocessing });
  const { network } = imported;
  if (network.architecture === architecture) return imported;
  throw new ModelError(
    'INVALID_FILE',
    `${imported.file} holds the network ${network.architecture}; ${entry.id} of the zoo is ${architecture}.`,
  );
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
export async function readZooNetwork(entry: ZooEntry, read: ReadZooFile): Promise<ZooModel> {
  const { architecture, preprocessing, weights } = entry;
  if (!weights) throw new ModelError('INVALID_ARGUMENT', `No weights are published for ${entry.id}.`);
  const files: Record<string, Uint8Array> = {};
  for (const file of weights.files) files[file.name] = await read(file);
  const { conversion, ...whole } = weights.format === 'nsfwjs' ? readNsfwjs(files) : readCheckpoint(entry, files);
  const { cutAfter } = weights;
  const taken = cutAfter === null ? whole : truncateAt(whole.network, whole.weights, cutAfter);
  const network = { ...taken.network, architecture, preprocessing, classes: entry.labels };
  const left = cutAfter === null ? [] : [`what follows ${cutAfter}: the zoo takes the features`];
  return {
    ...simplify({ network, weights: taken.weights }),
    files,
    conversion: { ...conversion, ignored: [...conversion.ignored, ...left] },
  };
}
