import { ModelError } from '../../errors.js';
import type { Model } from '../../graph.js';
import { openHdf5 } from '../hdf5/objects.js';
import type { ImportOptions } from '../importBuilder.js';
import type { ZipArchive } from '../zip/archive.js';
import { convertKeras } from './convert.js';
import { dialectOf, parseKerasJson, storedByPath } from './h5.js';
import { asObject, fail } from './json.js';

const CONFIG = 'config.json';
const METADATA = 'metadata.json';
const WEIGHTS = 'model.weights.h5';

/** Whether a zip archive is what Keras 3 (and Keras 2.12 on) saves as .keras. */
export const isKerasArchive = (archive: ZipArchive): boolean => archive.has(CONFIG) && archive.has(METADATA);

/**
 * Imports a model that Keras saved as .keras: an archive of its configuration and its weights. Throws INVALID_FILE, or UNSUPPORTED
 * with everything that Graft has no layer for.
 */
export function importKerasArchive(archive: ZipArchive, options: ImportOptions = {}): Model {
  const text = (name: string) => new TextDecoder().decode(archive.read(name));
  const metadata = asObject(parseKerasJson(text(METADATA), METADATA), METADATA);
  const config = parseKerasJson(text(CONFIG), CONFIG);
  if (!archive.has(WEIGHTS)) {
    if (archive.entries.some(({ name }) => name.startsWith('model.weights'))) {
      throw new ModelError(
        'UNSUPPORTED',
        'This .keras file keeps its weights in several files; save it without shards.',
      );
    }
    fail(`${WEIGHTS} is missing.`);
  }
  const { keras_version: version } = metadata;
  if (options.report) options.report.version = typeof version === 'string' ? version : null;
  const root = openHdf5(archive.read(WEIGHTS));
  return convertKeras('Keras', config, storedByPath(root), dialectOf(version), options);
}
