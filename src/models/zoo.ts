import { ARCHITECTURES, buildArchitecture } from './architectures/registry.js';
import { ModelError } from './errors.js';
import { importTfjs } from './formats/tfjs.js';
import type { Model } from './graph.js';
import { initializeWeights } from './initialize.js';
import type { Preprocessing } from './network.js';
import { parsePreprocessing } from './networkJson.js';
import { simplify } from './simplify.js';
import { truncateAt } from './surgery.js';
import { readModelBundle, readShardBundle } from './zoo/nsfwjs.js';

/** One line of weights/zoo.json. */
export interface ZooEntry {
  readonly id: string;
  readonly name: string;
  readonly architecture: string;
  readonly description: string;
  readonly paper: string | null;
  /** False: the architecture is built in, its weights are random until trained or imported. */
  readonly pretrained: boolean;
  /** Where the weights come from; null without weights. */
  readonly source: string | null;
  readonly license: string | null;
  readonly inputSize: readonly [channels: number, height: number, width: number];
  readonly parameters: number;
  /** For one picture of `inputSize`. */
  readonly multiplyAdds: number;
  /** Size of the files that the weights are read from; null without weights. */
  readonly bytes: number | null;
  /** Published ImageNet accuracies in percent of these very weights; null where there are none. */
  readonly top1: number | null;
  readonly top5: number | null;
  readonly preprocessing: Preprocessing;
  /** How the weights are read; null: random weights. */
  readonly weights: ZooWeights | null;
}

/** Weights in an npm package that is a dependency of Graft. */
export interface ZooWeights {
  readonly format: 'nsfwjs';
  /** Paths inside node_modules. */
  readonly model: string;
  readonly shards: readonly string[];
  /** The pretrained layers up to and including this one are taken; what follows is the publisher's own classifier. */
  readonly cutAfter: string;
}

export interface ZooEnvironment {
  /** Reads a file of an installed npm package; `path` begins with the package's name. */
  readPackageFile(path: string): Promise<Uint8Array>;
  /** For architectures without weights. */
  readonly seed: number;
}

type Json = Readonly<Record<string, unknown>>;

function fail(where: string, message: string): never {
  throw new ModelError('INVALID_FILE', `weights/zoo.json: ${where}: ${message}`);
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length > 0;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
const isPercent = (value: unknown): value is number => typeof value === 'number' && value > 0 && value <= 100;

/** Reads fields of one entry, each with its check. */
function fields(json: Json, where: string) {
  return <T>(key: string, check: (value: unknown) => value is T, expected: string): T => {
    const value = json[key];
    return check(value) ? value : fail(where, `${key} must be ${expected}; got ${JSON.stringify(value) ?? 'nothing'}.`);
  };
}

const orNull =
  <T>(check: (value: unknown) => value is T) =>
  (value: unknown): value is T | null =>
    value === null || check(value);
const isSize = (value: unknown): value is [number, number, number] =>
  Array.isArray(value) && value.length === 3 && value.every(isCount);
const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every(isText);
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const isObject = (value: unknown): value is Json =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const isNsfwjs = (value: unknown): value is 'nsfwjs' => value === 'nsfwjs';

function parseWeights(json: Json | null, where: string): ZooWeights | null {
  if (json === null) return null;
  const field = fields(json, `${where}: weights`);
  return {
    format: field('format', isNsfwjs, '"nsfwjs"'),
    model: field('model', isText, 'a path'),
    shards: field('shards', isTextList, 'a list of paths'),
    cutAfter: field('cutAfter', isText, "a layer's name"),
  };
}

function parseEntry(json: unknown, index: number): ZooEntry {
  if (!isObject(json)) fail(`entry ${index}`, 'it must be an object.');
  const where = isText(json.id) ? json.id : `entry ${index}`;
  const field = fields(json, where);
  const inputSize = field('inputSize', isSize, 'three sizes');
  const preprocessing = field('preprocessing', isObject, 'an object');
  const entry: ZooEntry = {
    id: field('id', isText, 'a text'),
    name: field('name', isText, 'a text'),
    architecture: field('architecture', isText, 'a text'),
    description: field('description', isText, 'a text'),
    paper: field('paper', orNull(isText), 'a text or null'),
    pretrained: field('pretrained', isFlag, 'true or false'),
    source: field('source', orNull(isText), 'a text or null'),
    license: field('license', orNull(isText), 'a text or null'),
    inputSize,
    parameters: field('parameters', isCount, 'a positive integer'),
    multiplyAdds: field('multiplyAdds', isCount, 'a positive integer'),
    bytes: field('bytes', orNull(isCount), 'a positive integer or null'),
    top1: field('top1', orNull(isPercent), 'a percentage or null'),
    top5: field('top5', orNull(isPercent), 'a percentage or null'),
    preprocessing: parsePreprocessing({ ...preprocessing, height: inputSize[1], width: inputSize[2] }, where),
    weights: parseWeights(field('weights', orNull(isObject), 'an object or null'), where),
  };
  if (entry.pretrained !== (entry.weights !== null)) fail(where, 'pretrained entries, and no others, have weights.');
  if (!entry.weights && !Object.hasOwn(ARCHITECTURES, entry.architecture)) {
    fail(where, `no architecture ${entry.architecture}; built in are ${Object.keys(ARCHITECTURES).join(', ')}.`);
  }
  return entry;
}

/** Checks the parsed weights/zoo.json. Throws INVALID_FILE, naming entry and field. */
export function parseZoo(json: unknown): ZooEntry[] {
  if (!isObject(json) || !Array.isArray(json.networks)) fail('networks', 'it must be a list.');
  const entries = json.networks.map(parseEntry);
  const ids = new Set<string>();
  for (const { id } of entries) {
    if (ids.has(id)) fail(id, 'two entries have this id.');
    ids.add(id);
  }
  return entries;
}

async function readNsfwjs(weights: ZooWeights, environment: ZooEnvironment): Promise<Model> {
  const text = async (path: string) => new TextDecoder('latin1').decode(await environment.readPackageFile(path));
  const model = readModelBundle(await text(weights.model));
  const shards = new Map<string, Uint8Array>();
  for (const path of weights.shards) {
    const [name = ''] = (path.split('/').at(-1) as string).split('.');
    shards.set(name, readShardBundle(await text(path)));
  }
  return importTfjs(model, (path) => shards.get(path));
}

/**
 * The network of a zoo entry: with the pretrained weights of its package, up to the last pooling (its output is a feature
 * vector; `replaceHead` gives it a classifier), or with random weights. Throws ModelError.
 */
export async function createZooNetwork(entry: ZooEntry, environment: ZooEnvironment): Promise<Model> {
  const { architecture, preprocessing, weights } = entry;
  if (weights) {
    const whole = await readNsfwjs(weights, environment);
    const cut = truncateAt(whole.network, whole.weights, weights.cutAfter);
    return simplify({ network: { ...cut.network, architecture, preprocessing }, weights: cut.weights });
  }
  const network = { ...buildArchitecture(architecture, { inputSize: entry.inputSize[1] }), preprocessing };
  return { network, weights: initializeWeights(network, environment.seed) };
}
