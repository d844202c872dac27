import { isCounter } from './architectures/match.js';
import { type Conversion, ImportReport } from './conversion.js';
import { ModelError, unsupported } from './errors.js';
import type { ImportOptions } from './formats/importBuilder.js';
import { importKerasArchive, isKerasArchive } from './formats/keras/archive.js';
import { importKerasH5, looksLikeHdf5 } from './formats/keras/h5.js';
import { importOnnx, importOnnxGraph, looksLikeOnnx } from './formats/onnx.js';
import {
  holdsNetwork,
  looksLikeSafetensors,
  readModel,
  readSafetensors,
  type SafetensorsFile,
} from './formats/safetensors.js';
import { looksLikePytorch, readPytorch } from './formats/pytorch.js';
import { isSafetensorsIndex, readShardedSafetensors } from './formats/shardedSafetensors.js';
import { importTfjs, isTfjsGraph, isTfjsModel } from './formats/tfjs.js';
import { importTflite, looksLikeTflite } from './formats/tflite.js';
import { looksLikeZip, openZip } from './formats/zip/archive.js';
import type { Model } from './graph.js';
import type { Layer, Weights } from './network.js';
import { type GraphImportOptions, type GraphModel, networkGraph } from './graphModel.js';
import { isNetworkJson, networkFromJson } from './networkJson.js';
import { inferShapes, vectorLength } from './shapes.js';
import { type PreprocessingSource, preprocessingSources } from './receipt.js';
import { simplify } from './simplify.js';
import { endInLogits } from './surgery.js';
import { validateNetwork } from './validate.js';
import { modelOfWeights } from './weightsOnly.js';

export type ModelFormat = 'safetensors' | 'pytorch' | 'onnx' | 'tfjs' | 'keras' | 'tflite' | 'folder';
export type ModelFiles = Readonly<Record<string, Uint8Array>>;

export interface ImportedModel extends Model {
  readonly format: ModelFormat;
  /** Name of the file that held the network. */
  readonly file: string;
  readonly conversion: Conversion;
  readonly preprocessingSources: readonly PreprocessingSource[];
}

/** As people write them. */
const TITLES: Readonly<Record<ModelFormat, string>> = {
  safetensors: 'safetensors',
  pytorch: 'PyTorch',
  onnx: 'ONNX',
  tfjs: 'TF.js layers-model',
  keras: 'Keras',
  tflite: 'TensorFlow Lite',
  folder: 'exported folder',
};

/** First bytes of formats that people try, with what to do. */
const FOREIGN: readonly { readonly magic: readonly number[]; readonly advice: string }[] = [
  { magic: [0x50, 0x4b, 0x03, 0x04], advice: 'a zip archive of another kind: unpack it' },
  { magic: [0x1f, 0x8b], advice: 'a gzip file: unpack it' },
];

/** Of a folder that Graft exported. */
const WEIGHTS_FILE = 'model.safetensors';

/** Whether a zip archive is one model by itself, not a container of model files that somebody packed. */
export function isModelArchive(bytes: Uint8Array): boolean {
  try {
    const archive = openZip(bytes);
    return isKerasArchive(archive) || looksLikePytorch(bytes, archive) !== null;
  } catch {
    return false;
  }
}

/** JSON begins with a brace, perhaps behind white space or a byte order mark. Returns undefined for anything else. */
function parseJson(bytes: Uint8Array): unknown {
  const start = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart();
  if (!start.startsWith('{')) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

const basename = (path: string): string => path.split(/[\\/]/).at(-1) as string;

/** Finds a file that a model refers to: by path, else by name alone, else the only other file that there is. */
function companion(files: ModelFiles, own: string): (path: string) => Uint8Array | undefined {
  const others = Object.keys(files).filter((name) => name !== own);
  return (path) => {
    if (Object.hasOwn(files, path)) return files[path];
    const named = others.filter((name) => basename(name) === basename(path));
    const found = named.length === 1 ? named[0] : others.length === 1 ? others[0] : undefined;
    return found === undefined ? undefined : files[found];
  };
}

function readAnySafetensors(file: SafetensorsFile, options: ImportOptions): Model {
  if (holdsNetwork(file)) return told(readModel(file), options);
  tellRounded(file.rounded, options);
  return matched(file.tensors, modelOfWeights(file.tensors, 'safetensors', options), options);
}

/** A file with the whole network: it says the preprocessing too, and nothing is changed. */
function told(model: Model, { report }: ImportOptions): Model {
  for (const { kind } of model.network.layers) report?.converted(kind, [kind]);
  if (report) report.preprocessing = model.network.preprocessing;
  return model;
}

/** A file of weights alone, whose layers are a built-in architecture's; `tensors` is all that is in it. */
function matched(tensors: Weights, model: Model, { report }: ImportOptions): Model {
  for (const _ of model.weights) report?.converted('tensor', [`weight of ${model.network.architecture}`]);
  const used = new Set([...model.weights.values()].map(({ data }) => data));
  let counters = 0;
  for (const [name, { data }] of tensors) {
    if (used.has(data)) continue;
    if (isCounter(name)) counters++;
    else report?.ignored(name, 'no layer has it');
  }
  if (counters > 0)
    report?.ignored('num_batches_tracked', `${counters} counters, which only training in PyTorch reads`);
  return model;
}

/** Names that a message lists. */
const LISTED = 10;

/** Values that float32 does not hold. */
function tellRounded(names: readonly string[], { report }: ImportOptions): void {
  if (names.length === 0) return;
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  report?.folded(`rounded to float32: ${names.slice(0, LISTED).join(', ')}${more}`);
}

/** A checkpoint of PyTorch: the weights in it, and what else it holds. */
function readCheckpoint(bytes: Uint8Array, options: ImportOptions): Model {
  const { tensors, path, prefix, ignored } = readPytorch(bytes);
  const { report } = options;
  for (const { name, value } of ignored) report?.ignored(name, value);
  if (path !== '') report?.folded(`the weights are under ${path}`);
  if (prefix !== '') report?.folded(`${prefix} is taken off the names`);
  tellRounded(
    [...tensors].flatMap(([name, { exact }]) => (exact || isCounter(name) ? [] : name)),
    options,
  );
  return matched(tensors, modelOfWeights(tensors, 'PyTorch', options), options);
}

/** The layers of an exported folder, whose weights lie beside them. */
function readFolder(json: Uint8Array, companions: (path: string) => Uint8Array | undefined): Model {
  const network = networkFromJson(new TextDecoder().decode(json));
  const file = companions(WEIGHTS_FILE);
  if (!file)
    throw new ModelError('INVALID_FILE', `The network's layers are here, its weights in ${WEIGHTS_FILE} are not.`);
  const weights = readSafetensors(file).tensors;
  validateNetwork(network, weights);
  return { network, weights };
}

interface Candidate {
  readonly name: string;
  readonly format: ModelFormat;
  /** Of files that TITLES does not fit. */
  readonly title?: string;
  /** Where several files hold a network, those of the highest rank are meant. */
  readonly rank: number;
  readonly read: (options: ImportOptions) => Model;
}

/** The network that a file holds, still unread; null where it holds none. */
function recognise(name: string, bytes: Uint8Array, files: ModelFiles): Candidate | null {
  if (looksLikeSafetensors(bytes)) {
    const read = (options: ImportOptions) => readAnySafetensors(readSafetensors(bytes), options);
    return { name, format: 'safetensors', rank: 0, read };
  }
  if (looksLikeHdf5(bytes)) {
    return { name, format: 'keras', rank: 0, read: (options) => importKerasH5(bytes, options) };
  }
  if (looksLikeTflite(bytes)) {
    return { name, format: 'tflite', rank: 0, read: (options) => importTflite(bytes, options) };
  }
  const archive = looksLikeZip(bytes) ? openZip(bytes) : null;
  if (archive && isKerasArchive(archive)) {
    return { name, format: 'keras', rank: 0, read: (options) => importKerasArchive(archive, options) };
  }
  const torch = looksLikePytorch(bytes, archive);
  if (torch) {
    const read = (options: ImportOptions) => readCheckpoint(bytes, options);
    // Two bytes make a pickle; numbers of another file's weights may begin with them by chance.
    return { name, format: 'pytorch', rank: torch === 'checkpoint' ? 0 : -1, read };
  }
  const json = parseJson(bytes);
  if (isNetworkJson(json)) {
    return {
      name,
      format: 'folder',
      rank: 2,
      read: (options) => told(readFolder(bytes, companion(files, name)), options),
    };
  }
  if (isSafetensorsIndex(json)) {
    const read = (options: ImportOptions) =>
      readAnySafetensors(readShardedSafetensors(json, companion(files, name)), options);
    return { name, format: 'safetensors', rank: 1, read };
  }
  if (isTfjsModel(json)) {
    const read = (options: ImportOptions) => importTfjs(json, companion(files, name), options);
    return { name, format: 'tfjs', rank: 1, read, ...(isTfjsGraph(json) && { title: 'TF.js graph-model' }) };
  }
  if (!looksLikeOnnx(bytes)) return null;
  return { name, format: 'onnx', rank: 0, read: (options) => importOnnx(bytes, options, companion(files, name)) };
}

/** Whether a file is one that a model is read from, by its content; a damaged one may be none. */
export function isModelFile(name: string, bytes: Uint8Array): boolean {
  try {
    return recognise(name, bytes, { [name]: bytes }) !== null;
  } catch {
    return false;
  }
}

/**
 * The one file that holds the network. The shards of a TF.js model may look like anything: its model.json decides, as the index of
 * safetensors in parts does. A folder that
 * Graft exported holds the network in other formats too: its network.json decides.
 */
function detect(files: ModelFiles): Candidate {
  const found = Object.entries(files).flatMap(([name, bytes]) => recognise(name, bytes, files) ?? []);
  const highest = Math.max(...found.map(({ rank }) => rank));
  const candidates = found.filter(({ rank }) => rank === highest);
  const [model, ...others] = candidates;
  if (!model) throw unknownFormat(files);
  if (others.length > 0) {
    const names = candidates.map(({ name }) => name).join(', ');
    throw new ModelError('INVALID_ARGUMENT', `Several files hold a network (${names}); import one at a time.`);
  }
  return model;
}

function unknownFormat(files: ModelFiles): ModelError {
  const names = Object.keys(files);
  if (names.length === 0) return new ModelError('INVALID_ARGUMENT', 'There is no file to import; give at least one.');
  const seen = names.map((name) => {
    const foreign = FOREIGN.find(({ magic }) => magic.every((byte, index) => files[name]?.[index] === byte));
    return `${name} is ${foreign ? foreign.advice : 'in no format that Graft knows'}`;
  });
  const known =
    'ONNX, safetensors, PyTorch checkpoints, TF.js models (model.json and its weight files), Keras .h5 and .keras, and TensorFlow Lite';
  return new ModelError('UNKNOWN_FORMAT', `Graft imports ${known}; ${seen.join('; ')}.`);
}

/** Tells the report which layers are gone, and which are now of another kind. */
function reportChanges(before: Model, after: Model, report: ImportReport, what: string): void {
  const now = new Map(after.network.layers.map(({ name, kind }) => [name, kind]));
  for (const { name, kind } of before.network.layers) {
    const found = now.get(name);
    if (found === undefined) report.folded(`${kind} ${name}: ${what}`);
    else if (found !== kind) report.folded(`${kind} ${name}: is a ${found}, which is the same here`);
  }
}

/** A general graph with the format that it came in. */
export interface ImportedGraph extends GraphModel {
  readonly format: ModelFormat;
}

/**
 * Imports what files hold as a graph, as it stands in them: ONNX files with any number of inputs and outputs; networks of other formats
 * with one picture input [N, C, H, W] and one output. Throws as `importModel`.
 */
export function importGraph(files: ModelFiles, options: GraphImportOptions = {}): ImportedGraph {
  const { name, format, read } = detect(files);
  if (format === 'onnx')
    return { ...importOnnxGraph(files[name] as Uint8Array, options, companion(files, name)), format };
  const { inputSize } = options;
  return { ...networkGraph(read(inputSize === undefined ? {} : { inputSize })), format };
}

/** A network that ends in a vector of logits: no softmax, and a last map of one pixel flattened. */
function finish(model: Model, report: ImportReport): Model {
  const simple = simplify(model);
  reportChanges(model, simple, report, 'part of the convolution behind it');
  const { network, weights } = endInLogits(simple);
  reportChanges(simple, { network, weights }, report, 'left out, networks end in logits');
  const last = network.layers.at(-1) as Layer;
  const shape = inferShapes(network).get(last.name) as number[];
  if (shape.length === 1 || vectorLength(shape) === null) return { network, weights };
  const name = `${last.name}_logits`;
  const flatten: Layer = { kind: 'flatten', axis: 1, name, inputs: [last.name], learningRateFactor: 1 };
  return { network: { ...network, layers: [...network.layers, flatten] }, weights };
}

/**
 * Imports a network from its files, recognised by what is in them, not by their names: ONNX, TF.js, Keras, TensorFlow Lite,
 * safetensors with a network (as `writeModel` writes it), a folder that was exported, or the weights of a built-in architecture
 * alone in safetensors (in parts too) or a PyTorch checkpoint.
 *
 * The result ends in logits, has had `simplify`, and is valid. Preprocessing is ImageNet's unless `options` or the file
 * say otherwise. Throws ModelError: UNKNOWN_FORMAT, INVALID_FILE, UNSUPPORTED ...
 */
export function importModel(files: ModelFiles, options: ImportOptions = {}): ImportedModel {
  const { read, format, title = TITLES[format], name: file } = detect(files);
  const report = new ImportReport();
  const model = finish(read({ ...options, report }), report);
  const [input] = model.network.layers;
  if (input?.kind === 'input' && input.shape[0] !== 3) {
    const attribute = `${input.shape[0]} channels; pictures have 3 (red, green, blue)`;
    throw unsupported(format, [{ layer: input.name, kind: 'input', attribute }]);
  }
  const { height, width } = model.network.preprocessing;
  const network = {
    ...model.network,
    preprocessing: { ...model.network.preprocessing, ...options.preprocessing, height, width },
    classes: options.classes ?? model.network.classes,
  };
  validateNetwork(network, model.weights);
  const sources = preprocessingSources((field) => {
    // The size is the network's own.
    if (field === 'height' || field === 'width') return 'file';
    if (options.preprocessing?.[field] !== undefined) return 'request';
    return report.preprocessing[field] === undefined ? 'default' : 'file';
  });
  const conversion = report.conversion(title);
  return { network, weights: model.weights, format, file, conversion, preprocessingSources: sources };
}
