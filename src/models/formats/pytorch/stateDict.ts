import { describe } from '../pickle/unpickle.js';
import { PyDict, PyObject, type PickleValue } from '../pickle/values.js';
import { fail, refuse, SAVE_STATE_DICT } from './errors.js';
import { TorchTensor } from './values.js';

/** Where checkpoints keep the weights beside other things, most usual first; averaged weights only where there are no others. */
const USUAL_KEYS = [
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'module',
  'net',
  'network',
  'weights',
  'params',
  'state_dict_ema',
  'model_ema',
  'ema_state_dict',
  'ema',
  'params_ema',
];
/** As deep as such keys are looked for in each other. */
const MAX_DEPTH = 3;

/** Wrappers that put a word in front of every name: DataParallel, torch.compile, Lightning and habits. */
const PREFIXES = ['module.', '_orig_mod.', 'model.', 'net.', 'network.', 'backbone.', 'encoder.'];

/** Something in the file that is not among the weights. */
export interface IgnoredValue {
  /** Its key, dots between levels. */
  readonly name: string;
  /** What it is, in few words, e.g. a number or `dict of 2`. */
  readonly value: string;
}

export interface FoundStateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** The key of the state dict in the file, dots between levels; empty where it is the whole. */
  readonly path: string;
  /** What stood in front of every name and was taken away. */
  readonly prefix: string;
  readonly ignored: readonly IgnoredValue[];
}

/** Values that are listed as ignored; the rest are counted. */
const MAX_IGNORED = 100;

const hasTensors = (value: PickleValue): boolean =>
  value instanceof PyDict && [...value.entries.values()].some((item) => item instanceof TorchTensor);

/** The dict of the weights and the keys that lead to it; null where there is none. No dict is looked at twice. */
function find(dict: PyDict, depth: number, seen: Set<PyDict>): { dict: PyDict; path: string[] } | null {
  if (seen.has(dict)) return null;
  seen.add(dict);
  const inside = (key: string): { dict: PyDict; path: string[] } | null => {
    const value = dict.entries.get(key);
    if (!(value instanceof PyDict) || depth >= MAX_DEPTH) return null;
    const found = find(value, depth + 1, seen);
    return found && { dict: found.dict, path: [key, ...found.path] };
  };
  for (const key of USUAL_KEYS) {
    const found = inside(key);
    if (found) return found;
  }
  if (hasTensors(dict)) return { dict, path: [] };
  const others = [...dict.entries].filter(
    ([key, value]) => typeof key === 'string' && hasTensors(value) && !seen.has(value as PyDict),
  );
  if (others.length > 1) {
    const names = others.map(([key]) => describe(key)).join(', ');
    refuse(`the file holds several state dicts (${names}). In Python, save the one that you want by itself.`);
  }
  const [only] = others;
  return only ? inside(only[0] as string) : null;
}

function commonPrefix(names: readonly string[]): string {
  let prefix = '';
  for (;;) {
    const next = PREFIXES.find((word) => names.every((name) => name.startsWith(prefix + word)));
    if (next === undefined || names.length === 0) return prefix;
    prefix += next;
  }
}

/** What lies beside the path to the weights, and what in the state dict is no tensor. */
function listIgnored(root: PyDict, path: readonly string[]): IgnoredValue[] {
  const ignored: IgnoredValue[] = [];
  let dict = root;
  for (let depth = 0; depth <= path.length; depth++) {
    const prefix = path.slice(0, depth);
    for (const [key, value] of dict.entries) {
      if (key === path[depth] || (depth === path.length && value instanceof TorchTensor)) continue;
      const name = [...prefix, typeof key === 'string' ? key.slice(0, 200) : describe(key)].join('.');
      ignored.push({ name, value: describe(value) });
    }
    if (depth < path.length) dict = dict.entries.get(path[depth] as string) as PyDict;
  }
  const more = ignored.length - MAX_IGNORED;
  return more > 0 ? [...ignored.slice(0, MAX_IGNORED), { name: '...', value: `${more} more` }] : ignored;
}

/** Finds the state dict in what a file holds. Throws UNSUPPORTED where there is none or several. */
export function findStateDict(root: PickleValue): FoundStateDict {
  if (!(root instanceof PyDict)) {
    const what = root instanceof PyObject ? `a ${root.type}` : describe(root);
    refuse(`the file holds ${what}, not a state dict. ${SAVE_STATE_DICT}`);
  }
  const found = find(root, 0, new Set());
  if (!found) {
    const keys = [...root.entries.keys()].slice(0, 10).map(describe).join(', ');
    refuse(`the file holds no state dict (its keys: ${keys || 'none'}). ${SAVE_STATE_DICT}`);
  }
  const entries = [...found.dict.entries].filter((entry): entry is [string, TorchTensor] => {
    const [key, value] = entry;
    if (!(value instanceof TorchTensor)) return false;
    return typeof key === 'string' ? true : fail(`a tensor is called ${describe(key)}, which is no text.`);
  });
  const prefix = commonPrefix(entries.map(([name]) => name));
  return {
    tensors: new Map(entries.map(([name, tensor]) => [name.slice(prefix.length), tensor])),
    path: found.path.join('.'),
    prefix,
    ignored: listIgnored(root, found.path),
  };
}
