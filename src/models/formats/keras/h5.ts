import { ModelError } from '../../errors.js';
import type { Model } from '../../graph.js';
import { looksLikeHdf5 } from '../hdf5/file.js';
import { type Hdf5Object, openHdf5 } from '../hdf5/objects.js';
import type { ImportOptions } from '../importBuilder.js';
import type { Constant } from '../tensorflow/value.js';
import type { Dialect } from './activations.js';
import type { WeightSource } from './context.js';
import { convertKeras } from './convert.js';
import { fail } from './json.js';
import { namedWeights } from './namedWeights.js';

export { looksLikeHdf5 };

/** Groups of weights lie in each other as scopes and nested models do. */
const MAX_DEPTH = 24;
const MAX_OBJECTS = 200_000;

/** Text of Keras's JSON. Throws INVALID_FILE. */
export function parseKerasJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ModelError('INVALID_FILE', `Keras model: ${what} is no JSON.`, [], { cause: error });
  }
}

export const dialectOf = (version: unknown): Dialect =>
  typeof version === 'string' && version.startsWith('3') ? 'keras3' : 'keras2';

/**
 * Imports a whole model that Keras 2 or 3 saved as .h5: its configuration and its weights. Throws INVALID_FILE; UNSUPPORTED with
 * everything that Graft has no layer for, and for files of weights alone.
 */
export function importKerasH5(bytes: Uint8Array, options: ImportOptions = {}): Model {
  const root = openHdf5(bytes);
  const config = root.attribute('model_config');
  if (typeof config !== 'string') {
    const advice = 'save the whole model (model.save), not its weights alone (model.save_weights)';
    throw new ModelError(
      'UNSUPPORTED',
      `This HDF5 file holds no model_config, so its layers are not known: ${advice}.`,
    );
  }
  const weights = root.get('model_weights') ?? fail('the group model_weights is missing.');
  const version = root.attribute('keras_version') ?? weights.attribute('keras_version');
  if (options.report) options.report.version = typeof version === 'string' ? version : null;
  const json = parseKerasJson(config, 'model_config');
  return convertKeras('Keras .h5', json, storedByName(weights), dialectOf(version), options);
}

/** A data set whose values are read when they are asked for, once. */
function lazy(dataset: Hdf5Object): Constant {
  let data: Float32Array | null = null;
  return {
    shape: dataset.shape,
    get data() {
      data ??= dataset.numbers();
      return data;
    },
  };
}

/**
 * Weights in groups by layer of the outermost model, each with a list of their names in Keras's order: by name, or by place where a
 * layer was renamed after its weights were made. Those of nested models are found by their names alone.
 */
function storedByName(group: Hdf5Object): WeightSource {
  const nested = namedWeights(datasetsBelow(group));
  return {
    find(layer, name, position) {
      const own = layer.id === layer.name ? group.get(layer.name) : null;
      const names = own?.attribute('weight_names');
      if (!own || !Array.isArray(names)) return nested.find(layer, name, position);
      const alike = names.filter((item) => String(item).replace(/:\d+$/, '').split('/').at(-1) === name);
      const stored = own.get(String(alike.length === 1 ? alike[0] : names[position]));
      return stored?.isDataset ? lazy(stored) : undefined;
    },
  };
}

function datasetsBelow(group: Hdf5Object): Map<string, Constant> {
  const found = new Map<string, Constant>();
  let visited = 0;
  const visit = (object: Hdf5Object, path: string, depth: number): void => {
    if (++visited > MAX_OBJECTS) fail(`model_weights has more than ${MAX_OBJECTS} groups and data sets.`);
    if (depth > MAX_DEPTH) fail(`groups of weights are nested deeper than ${MAX_DEPTH}.`);
    if (object.isDataset) {
      found.set(path, lazy(object));
      return;
    }
    for (const name of object.names) {
      const child = object.get(name);
      if (child) visit(child, path === '' ? name : `${path}/${name}`, depth + 1);
    }
  };
  visit(group, '', 0);
  return found;
}

/** Weights of Keras 3's .weights.h5: numbered in a group for each layer, which is called after the layer's class. */
export function storedByPath(root: Hdf5Object): WeightSource {
  return {
    find(layer, _, position) {
      const dataset = root.get(`${layer.storePath}/vars/${position}`);
      return dataset?.isDataset ? lazy(dataset) : undefined;
    },
  };
}
