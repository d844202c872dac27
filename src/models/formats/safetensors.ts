import { ModelError } from '../errors.js';
import type { Model } from '../graph.js';
import type { Weights, WeightTensor } from '../network.js';
import { networkFromJson, networkToJson } from '../networkJson.js';
import { validateNetwork } from '../validate.js';
import { checkedElements, IS_LITTLE_ENDIAN, isExact, STORED_BYTES, type StoredType, toFloat32 } from './numbers.js';

/**
 * The safetensors format (https://huggingface.co/docs/safetensors): 8 bytes, the header's length; the header, JSON: name
 * -> {dtype, shape, data_offsets}, and `__metadata__` with texts; then the values, little-endian, row-major, without gaps.
 * Graft's own files hold the network too, as JSON in the metadata entry `graft.network`.
 */
const NETWORK_KEY = 'graft.network';
const METADATA_KEY = '__metadata__';
/** The reference implementation allows 100 MB; text of nothing but brackets takes many times its size when it is parsed. */
const MAX_HEADER_BYTES = 2 ** 24;
const PREFIX_BYTES = 8;

const TYPES: Readonly<Record<string, StoredType>> = {
  BOOL: 'bool',
  U8: 'u8',
  I8: 'i8',
  U16: 'u16',
  I16: 'i16',
  U32: 'u32',
  I32: 'i32',
  U64: 'u64',
  I64: 'i64',
  F16: 'f16',
  BF16: 'bf16',
  F32: 'f32',
  F64: 'f64',
  F8_E4M3: 'f8e4m3fn',
  F8_E5M2: 'f8e5m2',
  F8_E8M0: 'f8e8m0fnu',
};

function fail(message: string, cause?: unknown): never {
  throw new ModelError('INVALID_FILE', `safetensors: ${message}`, [], { cause });
}

export interface SafetensorsContent {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: Weights;
}

export interface SafetensorsFile extends SafetensorsContent {
  /** Tensors whose values float32 does not hold (float64, large integers): they are rounded to the nearest. */
  readonly rounded: readonly string[];
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.byteLength < PREFIX_BYTES + 2) fail(`a file has at least 10 bytes; got ${bytes.byteLength}.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  const available = bytes.byteLength - PREFIX_BYTES;
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, available))) {
    fail(
      `the header says it has ${length} bytes; the file has ${available} more, and ${MAX_HEADER_BYTES} are allowed.`,
    );
  }
  const dataStart = PREFIX_BYTES + Number(length);
  let header: unknown;
  try {
    const source = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(PREFIX_BYTES, dataStart));
    header = JSON.parse(source);
  } catch (error) {
    fail('the header is not JSON in UTF-8.', error);
  }
  if (header === null || typeof header !== 'object' || Array.isArray(header)) fail('the header is not a JSON object.');
  return { header: header as Record<string, unknown>, dataStart };
}

function readMetadata(value: unknown): Map<string, string> {
  if (value === undefined) return new Map();
  if (value === null || typeof value !== 'object') fail('__metadata__ is not an object.');
  return new Map(
    Object.entries(value).map(([key, item]) => [
      key,
      typeof item === 'string' ? item : fail(`metadata ${key} is no text.`),
    ]),
  );
}

interface TensorEntry {
  readonly name: string;
  readonly type: StoredType;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

function readEntry(name: string, value: unknown): TensorEntry {
  const entry = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  const dtype = typeof entry.dtype === 'string' ? entry.dtype : '';
  const type = Object.hasOwn(TYPES, dtype) ? TYPES[dtype] : undefined;
  if (!type) fail(`${name} has the dtype ${JSON.stringify(entry.dtype)}; known are ${Object.keys(TYPES).join(', ')}.`);
  if (!Array.isArray(entry.shape)) fail(`${name} has no shape.`);
  const elements = checkedElements(entry.shape, `safetensors: ${name}`);
  const offsets: unknown[] = Array.isArray(entry.data_offsets) ? entry.data_offsets : [];
  const [begin, end] = offsets;
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || offsets.length !== 2) {
    fail(`${name}: data_offsets must be two integers.`);
  }
  const size = (end as number) - (begin as number);
  if (size !== elements * STORED_BYTES[type]) {
    fail(`${name}: ${dtype} [${entry.shape.join(', ')}] takes ${elements * STORED_BYTES[type]} bytes; it has ${size}.`);
  }
  return { name, type, shape: entry.shape as number[], begin: begin as number, end: end as number };
}

/** Whether bytes begin like a safetensors file: a length that fits, then a JSON object. */
export function looksLikeSafetensors(bytes: Uint8Array): boolean {
  if (bytes.byteLength < PREFIX_BYTES + 2 || bytes[PREFIX_BYTES] !== 0x7b) return false;
  return new DataView(bytes.buffer, bytes.byteOffset, PREFIX_BYTES).getBigUint64(0, true) <= BigInt(MAX_HEADER_BYTES);
}

/** Reads any safetensors file; all numbers become float32. Throws INVALID_FILE. */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes);
  const data = bytes.subarray(dataStart);
  const names = Object.keys(header).filter((name) => name !== METADATA_KEY);
  const entries = names.map((name) => readEntry(name, header[name]));
  let position = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== position) fail(`${name} begins at ${begin}, but the values before it end at ${position}.`);
    position = end;
  }
  if (position !== data.byteLength) fail(`the tensors take ${position} bytes; the file holds ${data.byteLength}.`);
  const tensors = new Map<string, WeightTensor>();
  const rounded: string[] = [];
  for (const { name, type, shape, begin, end } of entries) {
    const own = data.subarray(begin, end);
    const values = toFloat32(own, type);
    tensors.set(name, { shape, data: values });
    if (!isExact(own, type, values)) rounded.push(name);
  }
  return { metadata: readMetadata(header[METADATA_KEY]), tensors, rounded };
}

/** Writes float32 tensors, in the order of their names: the same content gives the same bytes. */
export function writeSafetensors({ metadata, tensors }: SafetensorsContent): Uint8Array {
  const byName = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const entries = byName(tensors);
  const header: [string, unknown][] = [[METADATA_KEY, Object.fromEntries(byName(metadata))]];
  let position = 0;
  for (const [name, { shape, data }] of entries) {
    const end = position + data.length * 4;
    header.push([name, { dtype: 'F32', shape, data_offsets: [position, end] }]);
    position = end;
  }
  const encoded = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(encoded.length / 8) * 8;
  const bytes = new Uint8Array(PREFIX_BYTES + headerBytes + position);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, PREFIX_BYTES, PREFIX_BYTES + headerBytes);
  bytes.set(encoded, PREFIX_BYTES);
  let offset = PREFIX_BYTES + headerBytes;
  for (const [, { data }] of entries) {
    if (IS_LITTLE_ENDIAN) bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    else data.forEach((value, index) => view.setFloat32(offset + index * 4, value, true));
    offset += data.byteLength;
  }
  return bytes;
}

/** A network with its weights as one safetensors file: what Graft stores and exports. */
export function writeModel({ network, weights }: Model): Uint8Array {
  return writeSafetensors({ metadata: new Map([[NETWORK_KEY, networkToJson(network)]]), tensors: weights });
}

/** Whether a safetensors file holds a network, not weights alone. */
export const holdsNetwork = (file: SafetensorsFile): boolean => file.metadata.has(NETWORK_KEY);

/** Reads what `writeModel` wrote. Throws INVALID_FILE, INVALID_NETWORK or INVALID_WEIGHTS. */
export function readModel(source: Uint8Array | SafetensorsFile): Model {
  const file = source instanceof Uint8Array ? readSafetensors(source) : source;
  const json = file.metadata.get(NETWORK_KEY);
  if (json === undefined) {
    fail(`the file holds weights but no network (no metadata ${NETWORK_KEY}), so its layers are unknown.`);
  }
  const network = networkFromJson(json);
  validateNetwork(network, file.tensors);
  return { network, weights: file.tensors };
}
