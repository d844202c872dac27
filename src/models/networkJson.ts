import { ModelError } from './errors.js';
import { JsonReader } from './jsonReader.js';
import { added, list, positive } from './layers/fields.js';
import { readLayer } from './layers/readLayer.js';
import { LIMITS } from './limits.js';
import type { AuxiliaryOutput, Network, Preprocessing } from './network.js';
import { validateLayers } from './validate.js';

/** Version of the JSON below; a reader refuses newer ones. Fields that came with 2 have defaults for files of version 1. */
const VERSION = 2;

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

const text = (json: JsonReader): string => json.string();

function readPreprocessing(json: JsonReader): Preprocessing {
  return {
    height: json.get('height').number(),
    width: json.get('width').number(),
    fit: json.get('fit').oneOf('stretch', 'centerCrop', 'resizeThenCrop'),
    cropFraction: json.get('cropFraction').number(),
    interpolation: json.get('interpolation').oneOf('bilinear', 'cubic'),
    channelOrder: json.get('channelOrder').oneOf('RGB', 'BGR', 'GREY'),
    scale: json.get('scale').number(),
    mean: json.get('mean').triple(),
    std: json.get('std').triple(),
  };
}

const auxiliary = added(
  list<AuxiliaryOutput>(
    { read: (json) => ({ layer: json.get('layer').string(), lossWeight: positive.read(json.get('lossWeight')) }) },
    LIMITS.inputs,
  ),
  [],
);

/** Checks a preprocessing that came from outside, e.g. the zoo's manifest. Throws INVALID_NETWORK. */
export const parsePreprocessing = (value: unknown, path: string): Preprocessing =>
  readPreprocessing(new JsonReader(value, path));

/** Whether a JSON value is meant to be a network; it may still not be a valid one. */
export function isNetworkJson(value: unknown): boolean {
  const { version, architecture, layers } = (value ?? {}) as Record<string, unknown>;
  return typeof version === 'number' && typeof architecture === 'string' && Array.isArray(layers);
}

/** A network from the text that `networkToJson` wrote, every field checked. Throws INVALID_NETWORK. */
export function networkFromJson(source: string): Network {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new ModelError('INVALID_NETWORK', 'The network is not valid JSON.', [], { cause: error });
  }
  const json = new JsonReader(value, 'network');
  const version = json.get('version').number();
  if (version !== 1 && version !== VERSION) {
    throw new ModelError(
      'INVALID_NETWORK',
      `The network has format version ${version}; this Graft reads 1 and ${VERSION}.`,
    );
  }
  const network: Network = {
    architecture: json.get('architecture').string(),
    layers: json.get('layers').list().map(readLayer),
    preprocessing: readPreprocessing(json.get('preprocessing')),
    classes: json.get('classes').nullable((classes) => classes.list().map(text)),
    auxiliary: auxiliary.read(json.get('auxiliary')),
  };
  validateLayers(network);
  return network;
}
