import { type ImportProblem, ModelError } from '../errors.js';
import { STORED_BYTES } from './numbers.js';
import {
  looksLikeLegacy,
  looksLikePickle,
  readLegacyFile,
  readZipFile,
  type TorchFile,
  torchFolder,
} from './pytorch/container.js';
import { refuse, SAVE_STATE_DICT } from './pytorch/errors.js';
import { findStateDict, type IgnoredValue } from './pytorch/stateDict.js';
import { type StateTensor, TensorReader } from './pytorch/tensor.js';
import { looksLikeZip, openZip, type ZipArchive } from './zip/archive.js';

/** The weights that a checkpoint holds. */
export interface StateDict {
  /** By name, in the file's order, a common prefix such as `module.` taken away. */
  readonly tensors: ReadonlyMap<string, StateTensor>;
  /** The state dict's key in the file, dots between levels (`state_dict`); empty where the file is nothing else. */
  readonly path: string;
  readonly prefix: string;
  /** What else the file holds. */
  readonly ignored: readonly IgnoredValue[];
}

function readFile(bytes: Uint8Array): TorchFile {
  if (looksLikeZip(bytes)) return readZipFile(openZip(bytes));
  if (looksLikeLegacy(bytes)) return readLegacyFile(bytes);
  if (looksLikePickle(bytes)) refuse(`the file is a pickle that torch.save did not write. ${SAVE_STATE_DICT}`);
  refuse('the file is no checkpoint of PyTorch.');
}

/**
 * Whether bytes, or the zip archive that they are, are what torch.save writes; or some other pickle, of which `readPytorch` says
 * what to do.
 */
export function looksLikePytorch(bytes: Uint8Array, archive: ZipArchive | null): 'checkpoint' | 'pickle' | null {
  if (archive) return torchFolder(archive) === null ? null : 'checkpoint';
  if (looksLikeLegacy(bytes)) return 'checkpoint';
  return looksLikePickle(bytes) ? 'pickle' : null;
}

/**
 * Reads a PyTorch checkpoint, in the zip format or the one before version 1.6. The pickle in it is read as data: names that are
 * not on an allow-list are refused, and nothing is run. Every number becomes float32.
 * Throws INVALID_FILE, or UNSUPPORTED with advice for whole modules, TorchScript, and tensors that have no float32 values.
 */
export function readPytorch(bytes: Uint8Array): StateDict {
  const { root, storages } = readFile(bytes);
  const { tensors, ...found } = findStateDict(root);
  const problems: ImportProblem[] = [...tensors]
    .filter(([, { dtype }]) => !Object.hasOwn(STORED_BYTES, dtype))
    .map(([layer, { dtype }]) => ({ layer, kind: 'tensor', attribute: `its type is ${dtype}` }));
  if (problems.length > 0) {
    const listed = problems.slice(0, 10).map(({ layer, attribute }) => `${layer} (${attribute})`);
    const message = `PyTorch: ${problems.length} tensor(s) have no float32 values: ${listed.join(', ')}.`;
    throw new ModelError('UNSUPPORTED', `${message} Save the weights of the float model.`, problems);
  }
  const reader = new TensorReader(storages, bytes.length);
  return { tensors: new Map([...tensors].map(([name, tensor]) => [name, reader.read(name, tensor)])), ...found };
}
