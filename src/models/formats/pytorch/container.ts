import { describe, unpickle } from '../pickle/unpickle.js';
import { PyDict, PyList, type PickleValue } from '../pickle/values.js';
import type { ZipArchive } from '../zip/archive.js';
import { fail, refuse, SAVE_STATE_DICT } from './errors.js';
import { plainHost, torchHost } from './host.js';
import { STORED_BYTES, type StoredType } from '../numbers.js';
import type { StorageSource } from './tensor.js';
import { TorchStorage } from './values.js';

/** What a file holds: one pickled value, whose tensors lie in storages. */
export interface TorchFile {
  readonly root: PickleValue;
  readonly storages: StorageSource;
}

const PICKLE = 'data.pkl';
/** The pickle of a checkpoint names tensors; their numbers lie elsewhere. */
const MAX_PICKLE_BYTES = 2 ** 26;

/** The folder that everything in the archive lies in, ending in a slash; null where it is none of PyTorch's. */
export function torchFolder(zip: ZipArchive): string | null {
  const found = zip.entries.find(({ name }) => name === PICKLE || /^[^/]+\/data\.pkl$/.test(name));
  return found ? found.name.slice(0, -PICKLE.length) : null;
}

/** The format of `torch.save` since version 1.6: a zip archive of `data.pkl`, `data/<key>` and small notes. */
export function readZipFile(zip: ZipArchive): TorchFile {
  const folder = torchFolder(zip);
  if (folder === null) fail(`the archive has no ${PICKLE}.`);
  const isScript =
    zip.has(`${folder}constants.pkl`) || zip.entries.some(({ name }) => name.startsWith(`${folder}code/`));
  if (isScript) {
    refuse(
      `the file is a TorchScript archive, a program with its weights. In Python: torch.save(torch.jit.load(file).state_dict(), 'weights.pth'), and import that; or export ONNX.`,
    );
  }
  const pickle = zip.read(`${folder}${PICKLE}`);
  if (pickle.length > MAX_PICKLE_BYTES) {
    fail(`${PICKLE} has ${pickle.length} bytes; ${MAX_PICKLE_BYTES} are allowed.`);
  }
  const { value, end } = unpickle(pickle, 0, torchHost);
  if (end !== pickle.length) fail(`${PICKLE} goes on behind its end.`);
  const order = zip.has(`${folder}byteorder`) ? new TextDecoder().decode(zip.read(`${folder}byteorder`)) : 'little';
  if (order !== 'little' && order !== 'big') fail(`the byte order is ${JSON.stringify(order.slice(0, 20))}.`);
  const known = new Map<string, Uint8Array>();
  const bytes = (key: string): Uint8Array => {
    let content = known.get(key);
    if (!content) known.set(key, (content = zip.read(`${folder}data/${key}`)));
    return content;
  };
  return { root: value, storages: { bytes, isBigEndian: order === 'big' } };
}

/** The first value of a file in the format before version 1.6 (torch/serialization.py: MAGIC_NUMBER). */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
/** That value as a pickle: PROTO 2, LONG1, ten bytes, STOP. */
const MAGIC_START = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/** Whether bytes begin with PyTorch's magic number, pickled by protocol 2 or later. */
export function looksLikeLegacy(bytes: Uint8Array): boolean {
  const starts = (at: number): boolean => MAGIC_START.every((byte, index) => bytes[at + index] === byte);
  // Protocols 4 and 5 put a frame's opcode and its length of eight bytes in between.
  return bytes[0] === 0x80 && (starts(2) || (bytes[2] === 0x95 && starts(11)));
}

/**
 * The format before version 1.6: pickles of a magic number, a protocol, facts about the machine, the value, and the storages' keys;
 * then for each key the number of elements (64 bits) and their bytes.
 */
export function readLegacyFile(bytes: Uint8Array): TorchFile {
  let position = 0;
  const next = (host = plainHost): PickleValue => {
    const { value, end } = unpickle(bytes, position, host);
    position = end;
    return value;
  };
  if (next() !== MAGIC) fail('the magic number is wrong.');
  const protocol = next();
  if (protocol !== PROTOCOL) fail(`the protocol is ${describe(protocol)}; ${PROTOCOL} is known.`);
  const machine = next();
  if (!(machine instanceof PyDict)) fail('the facts about the machine are missing.');
  if (machine.entries.get('little_endian') === false) {
    refuse('the file was written on a big-endian machine by an old PyTorch. Load and save it with a newer one.');
  }
  const types = new Map<string, TorchStorage>();
  const persistent = (id: PickleValue): PickleValue => {
    const storage = torchHost.persistent(id) as TorchStorage;
    const before = types.get(storage.key);
    if (before && before.dtype !== storage.dtype) fail(`storage ${storage.key} has two types.`);
    types.set(storage.key, storage);
    return storage;
  };
  const root = next({ ...torchHost, persistent });
  const keys = next();
  if (!(keys instanceof PyList)) fail('the list of storages is missing.');
  const contents = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? types.get(key) : undefined;
    if (!storage || contents.has(storage.key)) fail('the list of storages has one that no tensor uses, or one twice.');
    if (position + 8 > bytes.length) fail('it ends early: storages are missing.');
    const elements = view.getBigUint64(position, true);
    position += 8;
    if (elements !== BigInt(storage.elements)) {
      fail(`storage ${storage.key} has ${elements} numbers; its tensors say ${storage.elements}.`);
    }
    const length = storage.elements * elementBytes(storage);
    if (!(length <= bytes.length - position)) fail('it ends early: storages are cut short.');
    contents.set(storage.key, bytes.subarray(position, position + length));
    position += length;
  }
  if (position !== bytes.length) fail(`${bytes.length - position} bytes follow the last storage.`);
  const read = (key: string): Uint8Array => contents.get(key) ?? fail(`storage ${key} is missing.`);
  return { root, storages: { bytes: read, isBigEndian: false } };
}

function elementBytes({ key, dtype }: TorchStorage): number {
  if (dtype === 'untyped') return 1;
  const size = Object.hasOwn(STORED_BYTES, dtype) ? STORED_BYTES[dtype as StoredType] : undefined;
  if (size !== undefined) return size;
  return dtype === 'complex64'
    ? 8
    : dtype === 'complex128'
      ? 16
      : refuse(`storage ${key} is ${dtype}. ${SAVE_STATE_DICT}`);
}

/** Whether bytes are any pickle; every one that PyTorch writes begins like this. */
export const looksLikePickle = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x80 && (bytes[1] as number) >= 2 && (bytes[1] as number) <= 5;
