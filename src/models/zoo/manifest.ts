import { ARCHITECTURES } from '../architectures/registry.js';
import { ModelError } from '../errors.js';
import type { Preprocessing } from '../network.js';
import { parsePreprocessing } from '../networkJson.js';

/** Where a file comes from. */
export type ZooSource =
  /** Fetched over HTTP into the cache of downloads. */
  | { readonly kind: 'url'; readonly url: string }
  /** A file of an npm package that is a dependency of Graft: it is there once Graft is installed. */
  | { readonly kind: 'npm'; readonly package: string; readonly path: string }
  /** A file of Graft itself, in its folder `weights`. */
  | { readonly kind: 'file'; readonly path: string };

export interface ZooFile {
  readonly name: string;
  /** A file that is here with Graft is taken from there; else the addresses are tried in order. */
  readonly sources: readonly ZooSource[];
  /** Hexadecimal digits of the SHA-256: all 64, or the first ones where only those are published. */
  readonly sha256: string;
  readonly bytes: number;
  /** How far `bytes` may be off, because publishers give rounded sizes; 0: it is exact. */
  readonly bytesTolerance: number;
}

/** A published set of weights. */
export interface ZooWeights {
  /** The publisher's name for it. */
  readonly name: string;
  /** `nsfwjs`: that package's JavaScript bundles. `checkpoint`: one file that `importModel` reads. */
  readonly format: 'nsfwjs' | 'checkpoint';
  readonly files: readonly ZooFile[];
  /** The pretrained layers up to and including this one are taken; what follows is left out. Null: all are taken. */
  readonly cutAfter: string | null;
  /** Under what the publisher distributes the weights. */
  readonly license: string;
  /** What a user has to know beside it; null: nothing. */
  readonly licenseNote: string | null;
  /** Published ImageNet accuracies in percent of these very weights; null where there are none. */
  readonly top1: number | null;
  readonly top5: number | null;
}

/** A network of weights/zoo.json, with one published set of weights or without any. */
export interface ZooEntry {
  readonly id: string;
  readonly name: string;
  /** Name in the registry of architectures. */
  readonly architecture: string;
  readonly description: string;
  readonly paper: string | null;
  readonly inputSize: readonly [channels: number, height: number, width: number];
  /** Without heads that take part in training only; with `cutAfter`, of the part that is taken. */
  readonly parameters: number;
  /** For one picture of `inputSize`. */
  readonly multiplyAdds: number;
  readonly preprocessing: Preprocessing;
  /** Outputs; null: the network ends in features and needs a head. */
  readonly classes: number | null;
  /** What the outputs mean, in order; null where weights are random or the network ends in features. */
  readonly labels: readonly string[] | null;
  /** Null: the architecture is built in, its weights are random until trained or imported. */
  readonly weights: ZooWeights | null;
}

type Json = Readonly<Record<string, unknown>>;
type Check<T> = (value: unknown) => value is T;

function fail(where: string, message: string): never {
  throw new ModelError('INVALID_FILE', `weights/zoo.json: ${where}: ${message}`);
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length > 0;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
const isPositive = (value: unknown): value is number => Number.isFinite(value) && (value as number) > 0;
const isPercent = (value: unknown): value is number => isPositive(value) && value <= 100;
const isObject = (value: unknown): value is Json =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const isFilledList = (value: unknown): value is unknown[] => Array.isArray(value) && value.length > 0;
const isSize = (value: unknown): value is [number, number, number] =>
  Array.isArray(value) && value.length === 3 && value.every(isCount);
const isHash = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{8,64}$/.test(value);
const isUrl = (value: unknown): value is string => typeof value === 'string' && /^https:\/\/[^/\s]+\/\S+$/.test(value);
const isPackage = (value: unknown): value is string =>
  typeof value === 'string' && /^(@[\w.-]+\/)?[\w-][\w.-]*$/.test(value);
/** A path below a folder. */
const isPath = (value: unknown): value is string =>
  isText(value) && !/^[/\\]|\\|\p{Cc}/u.test(value) && !value.split('/').some((part) => part === '..' || part === '');
const isFileName = (value: unknown): value is string => isPath(value) && !value.includes('/') && !value.startsWith('.');

const orNull =
  <T>(check: Check<T>) =>
  (value: unknown): value is T | null =>
    value === null || check(value);
const oneOf =
  <T extends string>(...allowed: readonly T[]) =>
  (value: unknown): value is T =>
    allowed.some((item) => item === value);

/** Reads fields of one object, each with its check; `end` refuses fields that nothing reads. */
class Fields {
  private readonly seen = new Set<string>();

  constructor(
    private readonly json: Json,
    readonly where: string,
  ) {}

  get<T>(key: string, check: Check<T>, expected: string): T {
    this.seen.add(key);
    const value = this.json[key];
    return check(value)
      ? value
      : fail(this.where, `${key} must be ${expected}; got ${JSON.stringify(value)?.slice(0, 80) ?? 'nothing'}.`);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.json, key);
  }

  end(): void {
    const unknown = Object.keys(this.json).find((key) => !this.seen.has(key));
    if (unknown !== undefined) fail(this.where, `there is no field ${unknown}.`);
  }
}

function parseSource(json: unknown, where: string): ZooSource {
  if (!isObject(json)) fail(where, 'it must be an object.');
  const fields = new Fields(json, where);
  const kind = fields.get('kind', oneOf('url', 'npm', 'file'), 'url, npm or file');
  const source: ZooSource =
    kind === 'url'
      ? { kind, url: fields.get('url', isUrl, 'an https address') }
      : kind === 'npm'
        ? {
            kind,
            package: fields.get('package', isPackage, "a package's name"),
            path: fields.get('path', isPath, 'a path inside the package'),
          }
        : { kind, path: fields.get('path', isPath, 'a path inside the folder weights') };
  fields.end();
  return source;
}

/** Sizes are exact bytes, or as torchvision publishes them, in MiB with three decimals. */
function parseBytes(fields: Fields): { bytes: number; bytesTolerance: number } {
  if (!fields.has('mebibytes')) {
    return { bytes: fields.get('bytes', isCount, 'a positive integer'), bytesTolerance: 0 };
  }
  const mebibytes = fields.get('mebibytes', isPositive, 'a positive number');
  return { bytes: Math.round(mebibytes * 2 ** 20), bytesTolerance: Math.ceil(0.0005 * 2 ** 20) };
}

function parseFile(json: unknown, where: string): ZooFile {
  if (!isObject(json)) fail(where, 'it must be an object.');
  const fields = new Fields(json, where);
  const file: ZooFile = {
    name: fields.get('name', isFileName, "a file's name"),
    sources: fields
      .get('sources', isFilledList, 'a list that is not empty')
      .map((source, index) => parseSource(source, `${where}: source ${index}`)),
    sha256: fields.get('sha256', isHash, '8 to 64 hexadecimal digits'),
    ...parseBytes(fields),
  };
  fields.end();
  return file;
}

function parseWeights(json: Json, where: string): ZooWeights {
  const fields = new Fields(json, where);
  const format = fields.get('format', oneOf('nsfwjs', 'checkpoint'), 'nsfwjs or checkpoint');
  const weights: ZooWeights = {
    name: fields.get('name', isText, 'a text'),
    format,
    files: fields
      .get('files', isFilledList, 'a list that is not empty')
      .map((file, index) => parseFile(file, `${where}: file ${index}`)),
    cutAfter: fields.get('cutAfter', orNull(isText), "a layer's name or null"),
    license: fields.get('license', isText, 'a text'),
    licenseNote: fields.get('licenseNote', orNull(isText), 'a text or null'),
    top1: fields.get('top1', orNull(isPercent), 'a percentage or null'),
    top5: fields.get('top5', orNull(isPercent), 'a percentage or null'),
  };
  fields.end();
  if (format === 'checkpoint' && weights.files.length !== 1) fail(where, 'a checkpoint is one file.');
  if (new Set(weights.files.map(({ name }) => name)).size !== weights.files.length) {
    fail(where, 'two files have the same name.');
  }
  return weights;
}

/** `resize` and `crop` as torchvision has them: the shorter side, and the side that is cut out. Both null: stretched. */
function parseInput(json: Json, [, height, width]: ZooEntry['inputSize'], where: string): Preprocessing {
  const fields = new Fields(json, where);
  const resize = fields.get('resize', orNull(isCount), 'a positive integer or null');
  const crop = fields.get('crop', orNull(isCount), 'a positive integer or null');
  const interpolation = fields.get('interpolation', oneOf('bilinear', 'bicubic'), 'bilinear or bicubic');
  const rest = {
    channelOrder: fields.get('channelOrder', oneOf('RGB', 'BGR'), 'RGB or BGR'),
    scale: fields.get('scale', isPositive, 'a positive number'),
    mean: fields.get('mean', Array.isArray, 'three numbers'),
    std: fields.get('std', Array.isArray, 'three numbers'),
  };
  fields.end();
  if ((resize === null) !== (crop === null)) fail(where, 'resize and crop are both numbers or both null.');
  if (crop !== null && (crop !== height || crop !== width)) {
    fail(where, `crop is ${crop} and inputSize ${height} x ${width}; they must be the same.`);
  }
  if (resize !== null && crop !== null && crop > resize) fail(where, 'crop is larger than resize.');
  const parsed = {
    ...rest,
    height,
    width,
    interpolation: interpolation === 'bicubic' ? 'cubic' : 'bilinear',
    fit: resize === null ? 'stretch' : 'resizeThenCrop',
    cropFraction: resize === null ? 1 : (crop as number) / resize,
  };
  try {
    return parsePreprocessing(parsed, 'it');
  } catch (cause) {
    return fail(where, (cause as Error).message);
  }
}

type LabelSets = ReadonlyMap<string, readonly string[]>;

function parseLabels(json: Json): LabelSets {
  const sets = new Map<string, string[]>();
  for (const [name, labels] of Object.entries(json)) {
    if (!isFilledList(labels) || !labels.every(isText)) fail(`labels ${name}`, 'it must be a list of texts.');
    if (new Set(labels).size !== labels.length) fail(`labels ${name}`, 'two labels are the same.');
    sets.set(name, labels);
  }
  return sets;
}

function parseEntry(json: unknown, index: number, sets: LabelSets): ZooEntry {
  if (!isObject(json)) fail(`entry ${index}`, 'it must be an object.');
  const where = isText(json.id) ? json.id : `entry ${index}`;
  const fields = new Fields(json, where);
  const inputSize = fields.get('inputSize', isSize, 'three sizes');
  const weights = fields.get('weights', orNull(isObject), 'an object or null');
  const labels = fields.get('labels', orNull(isText), 'the name of a list of labels, or null');
  const entry: ZooEntry = {
    id: fields.get('id', isFileName, 'a text without slashes'),
    name: fields.get('name', isText, 'a text'),
    architecture: fields.get('architecture', isText, 'a text'),
    description: fields.get('description', isText, 'a text'),
    paper: fields.get('paper', orNull(isText), 'a text or null'),
    inputSize,
    parameters: fields.get('parameters', isCount, 'a positive integer'),
    multiplyAdds: fields.get('multiplyAdds', isCount, 'a positive integer'),
    preprocessing: parseInput(fields.get('preprocessing', isObject, 'an object'), inputSize, `${where}: preprocessing`),
    classes: fields.get('classes', orNull(isCount), 'a positive integer or null'),
    labels: labels === null ? null : (sets.get(labels) ?? fail(where, `there are no labels ${labels}.`)),
    weights: weights && parseWeights(weights, `${where}: weights`),
  };
  fields.end();
  if (!Object.hasOwn(ARCHITECTURES, entry.architecture)) {
    fail(where, `no architecture ${entry.architecture}; built in are ${Object.keys(ARCHITECTURES).join(', ')}.`);
  }
  if (entry.labels && entry.labels.length !== entry.classes) {
    fail(where, `classes is ${entry.classes}, but ${labels} has ${entry.labels.length} labels.`);
  }
  if (!weights && (labels !== null || entry.classes === null)) {
    fail(where, 'without weights, a network has classes and no labels.');
  }
  return entry;
}

/** Checks the parsed weights/zoo.json. Throws INVALID_FILE, naming entry and field. */
export function parseZoo(json: unknown): ZooEntry[] {
  if (!isObject(json)) fail('the file', 'it must be an object.');
  const fields = new Fields(json, 'the file');
  const sets = parseLabels(fields.get('labels', isObject, 'an object'));
  const entries = fields
    .get('networks', isFilledList, 'a list that is not empty')
    .map((entry, index) => parseEntry(entry, index, sets));
  fields.end();
  const ids = new Set<string>();
  const hashes = new Map<string, string>();
  for (const { id, weights } of entries) {
    if (ids.has(id)) fail(id, 'two entries have this id.');
    ids.add(id);
    for (const { name, sha256 } of weights?.files ?? []) {
      const other = hashes.get(name);
      if (other !== undefined && other !== sha256) fail(id, `another entry has a different file ${name}.`);
      hashes.set(name, sha256);
    }
  }
  return entries;
}
