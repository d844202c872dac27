import { ModelError } from '../errors.js';
import type { WeightTensor } from '../network.js';
import { readSafetensors, type SafetensorsFile } from './safetensors.js';

/** Files of one model; the largest published ones have a few hundred. */
const MAX_FILES = 1024;

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `safetensors index: ${message}`);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Whether a JSON value is an index of Hugging Face's: `model.safetensors.index.json`, which says the file of each tensor. */
export const isSafetensorsIndex = (value: unknown): boolean => isObject(value) && isObject(value.weight_map);

/** Names of tensors by file, in the order of the index. */
function namesByFile(index: unknown): Map<string, string[]> {
  const { weight_map: map } = index as { weight_map: Readonly<Record<string, unknown>> };
  const files = new Map<string, string[]>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string') fail(`the file of ${name.slice(0, 200)} is no text.`);
    const names = files.get(file);
    if (names) names.push(name);
    else files.set(file, [name]);
  }
  if (files.size > MAX_FILES) fail(`it names ${files.size} files; ${MAX_FILES} are allowed.`);
  return files;
}

/**
 * The tensors that an index names, from its files, which `find` gives by name. Each file must hold the tensors that the index says,
 * and no others. Throws INVALID_FILE.
 */
export function readShardedSafetensors(
  index: unknown,
  find: (file: string) => Uint8Array | undefined,
): SafetensorsFile {
  const tensors = new Map<string, WeightTensor>();
  const rounded: string[] = [];
  for (const [file, names] of namesByFile(index)) {
    const bytes = find(file) ?? fail(`${file.slice(0, 200)} is missing; give it together with the index.`);
    const { tensors: shard, rounded: inexact } = readSafetensors(bytes);
    for (const name of inexact) rounded.push(name);
    for (const name of names) {
      tensors.set(name, shard.get(name) ?? fail(`${file} does not hold ${name.slice(0, 200)}.`));
    }
    const expected = new Set(names);
    const other = [...shard.keys()].find((name) => !expected.has(name));
    if (other !== undefined) fail(`${file} holds ${other.slice(0, 200)}, which the index does not say.`);
  }
  return { metadata: new Map(), tensors, rounded };
}
