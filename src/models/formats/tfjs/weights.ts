import type { WeightTensor } from '../../network.js';
import { checkedElements, STORED_BYTES, type StoredType, toFloat32 } from '../numbers.js';
import { asList, asObject, asText, fail, type JsonObject, show } from '../keras/json.js';

const TYPES: Readonly<Record<string, StoredType>> = {
  float32: 'f32',
  float16: 'f16',
  int32: 'i32',
  uint8: 'u8',
  uint16: 'u16',
  bool: 'bool',
};

const typeOf = (value: unknown, what: string): StoredType =>
  (typeof value === 'string' && Object.hasOwn(TYPES, value) ? TYPES[value] : undefined) ??
  fail(`${what} has the type ${show(value)}; known are ${Object.keys(TYPES).join(', ')}.`);

/** Values of one tensor; quantised ones are `value * scale + min` (tfjs-core, decodeWeights). */
function decode(bytes: Uint8Array, stored: StoredType, quantization: JsonObject | null, name: string): Float32Array {
  const values = toFloat32(bytes, stored);
  if (!quantization || stored === 'f16') return values;
  const { scale, min } = quantization;
  if (typeof scale !== 'number' || typeof min !== 'number') fail(`${name}: its quantization needs scale and min.`);
  for (let index = 0; index < values.length; index++) values[index] = (values[index] as number) * scale + min;
  return values;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

/**
 * All weights of a `weightsManifest`, in the file's own shapes. `shard` gives the bytes of a path of the manifest, or
 * undefined. Throws INVALID_FILE for missing, short or overlong shards.
 */
export function readManifest(
  manifest: unknown,
  shard: (path: string) => Uint8Array | undefined,
): Map<string, WeightTensor> {
  const weights = new Map<string, WeightTensor>();
  for (const value of asList(manifest, 'weightsManifest')) {
    const group = asObject(value, 'a group of weightsManifest');
    const paths = asList(group.paths, 'paths').map((path) => asText(path, 'a path'));
    const bytes = concatenate(paths.map((path) => shard(path) ?? fail(`the weight file ${path} is missing.`)));
    let offset = 0;
    for (const item of asList(group.weights, 'weights')) {
      const entry = asObject(item, 'a weight');
      const name = asText(entry.name, 'name of a weight');
      const shape = asList(entry.shape, `shape of ${name}`);
      const quantization = entry.quantization === undefined ? null : asObject(entry.quantization, 'quantization');
      const stored = typeOf(quantization ? quantization.dtype : entry.dtype, name);
      const size = checkedElements(shape, `TF.js layers-model: ${name}`) * STORED_BYTES[stored];
      if (offset + size > bytes.byteLength) {
        fail(`${paths.join(', ')} end at ${bytes.byteLength} bytes; ${name} needs bytes up to ${offset + size}.`);
      }
      const data = decode(bytes.subarray(offset, offset + size), stored, quantization, name);
      if (weights.has(name)) fail(`two weights are named ${name}.`);
      weights.set(name, { shape: shape as number[], data });
      offset += size;
    }
    if (offset !== bytes.byteLength)
      fail(`${paths.join(', ')} hold ${bytes.byteLength} bytes; the weights take ${offset}.`);
  }
  return weights;
}
