import { ModelError } from './errors.js';
import type { Layer, Network, Padding, Preprocessing } from './network.js';
import { validateLayers } from './validate.js';

/** Version of the JSON below; a reader refuses newer ones. */
const VERSION = 1;

/** A network as JSON text. The same network always gives the same text. */
export function networkToJson(network: Network): string {
  return JSON.stringify({ version: VERSION, ...sorted(network) });
}

/** Keys in alphabetical order at every depth. */
function sorted<T>(value: T): T {
  if (Array.isArray(value)) return value.map(sorted) as T;
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)])) as T;
}

/** Reads one JSON value, checking types; `path` says where in the network an error is. */
class Reader {
  constructor(
    private readonly value: unknown,
    private readonly path: string,
  ) {}

  private fail(expected: string): never {
    const got = JSON.stringify(this.value) ?? 'nothing';
    throw new ModelError('INVALID_NETWORK', `${this.path} must be ${expected}; got ${got.slice(0, 80)}.`);
  }

  get(key: string): Reader {
    if (this.value === null || typeof this.value !== 'object' || Array.isArray(this.value)) this.fail('an object');
    const own = Object.hasOwn(this.value as object, key) ? (this.value as Record<string, unknown>)[key] : undefined;
    return new Reader(own, `${this.path}.${key}`);
  }

  list(): Reader[] {
    if (!Array.isArray(this.value)) this.fail('a list');
    return this.value.map((item, index) => new Reader(item, `${this.path}[${index}]`));
  }

  string(): string {
    return typeof this.value === 'string' ? this.value : this.fail('a string');
  }

  number(): number {
    return typeof this.value === 'number' ? this.value : this.fail('a number');
  }

  boolean(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.fail('true or false');
  }

  nullable<T>(read: (reader: Reader) => T): T | null {
    return this.value === null ? null : read(this);
  }

  oneOf<T extends string>(...allowed: readonly T[]): T {
    const found = allowed.find((item) => item === this.value);
    return found ?? this.fail(`one of ${allowed.join(', ')}`);
  }

  pair(): [number, number] {
    const items = this.list();
    if (items.length !== 2) this.fail('a list of 2 numbers');
    return [(items[0] as Reader).number(), (items[1] as Reader).number()];
  }

  triple(): [number, number, number] {
    const [a, b, c, ...rest] = this.list();
    if (!a || !b || !c || rest.length > 0) return this.fail('a list of 3 numbers');
    return [a.number(), b.number(), c.number()];
  }
}

function readPadding(json: Reader): Padding {
  return {
    top: json.get('top').number(),
    left: json.get('left').number(),
    bottom: json.get('bottom').number(),
    right: json.get('right').number(),
  };
}

const KINDS = [
  'input',
  'conv2d',
  'dense',
  'batchNorm',
  'activation',
  'maxPool',
  'averagePool',
  'globalAveragePool',
  'add',
  'concat',
  'flatten',
  'dropout',
  'softmax',
  'zeroPad',
] as const satisfies readonly Layer['kind'][];

const text = (json: Reader): string => json.string();

function readLayer(json: Reader): Layer {
  const kind = json.get('kind').oneOf(...KINDS);
  const base = {
    name: json.get('name').string(),
    inputs: json.get('inputs').list().map(text),
    learningRateFactor: json.get('learningRateFactor').number(),
  };
  switch (kind) {
    case 'input':
      return { ...base, kind, shape: json.get('shape').triple() };
    case 'conv2d':
      return {
        ...base,
        kind,
        outChannels: json.get('outChannels').number(),
        kernel: json.get('kernel').pair(),
        stride: json.get('stride').pair(),
        padding: readPadding(json.get('padding')),
        dilation: json.get('dilation').pair(),
        groups: json.get('groups').number(),
        weight: json.get('weight').string(),
        bias: json.get('bias').nullable(text),
      };
    case 'dense':
      return {
        ...base,
        kind,
        outFeatures: json.get('outFeatures').number(),
        weight: json.get('weight').string(),
        bias: json.get('bias').nullable(text),
      };
    case 'batchNorm':
      return {
        ...base,
        kind,
        epsilon: json.get('epsilon').number(),
        momentum: json.get('momentum').number(),
        weight: json.get('weight').nullable(text),
        bias: json.get('bias').nullable(text),
        runningMean: json.get('runningMean').string(),
        runningVariance: json.get('runningVariance').string(),
      };
    case 'activation':
      return { ...base, kind, activation: json.get('activation').oneOf('relu', 'relu6') };
    case 'maxPool':
    case 'averagePool':
      return {
        ...base,
        kind,
        kernel: json.get('kernel').pair(),
        stride: json.get('stride').pair(),
        padding: readPadding(json.get('padding')),
        ceilMode: json.get('ceilMode').boolean(),
        countIncludePad: json.get('countIncludePad').boolean(),
      };
    case 'globalAveragePool':
      return { ...base, kind, flatten: json.get('flatten').boolean() };
    case 'dropout':
      return { ...base, kind, rate: json.get('rate').number() };
    case 'zeroPad':
      return { ...base, kind, padding: readPadding(json.get('padding')) };
    case 'add':
    case 'concat':
    case 'flatten':
    case 'softmax':
      return { ...base, kind };
  }
}

function readPreprocessing(json: Reader): Preprocessing {
  return {
    height: json.get('height').number(),
    width: json.get('width').number(),
    fit: json.get('fit').oneOf('stretch', 'centerCrop', 'resizeThenCrop'),
    cropFraction: json.get('cropFraction').number(),
    interpolation: json.get('interpolation').oneOf('bilinear', 'cubic'),
    channelOrder: json.get('channelOrder').oneOf('RGB', 'BGR'),
    scale: json.get('scale').number(),
    mean: json.get('mean').triple(),
    std: json.get('std').triple(),
  };
}

/** Checks a preprocessing that came from outside, e.g. the zoo's manifest. Throws INVALID_NETWORK. */
export const parsePreprocessing = (value: unknown, path: string): Preprocessing =>
  readPreprocessing(new Reader(value, path));

/** A network from the text that `networkToJson` wrote, every field checked. Throws INVALID_NETWORK. */
export function networkFromJson(source: string): Network {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new ModelError('INVALID_NETWORK', 'The network is not valid JSON.', [], { cause: error });
  }
  const json = new Reader(value, 'network');
  const version = json.get('version').number();
  if (version !== VERSION) {
    throw new ModelError('INVALID_NETWORK', `The network has format version ${version}; this Graft reads ${VERSION}.`);
  }
  const network: Network = {
    architecture: json.get('architecture').string(),
    layers: json.get('layers').list().map(readLayer),
    preprocessing: readPreprocessing(json.get('preprocessing')),
    classes: json.get('classes').nullable((classes) => classes.list().map(text)),
  };
  validateLayers(network);
  return network;
}
