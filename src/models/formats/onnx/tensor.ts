import { ModelError } from '../../errors.js';
import type { ValueType } from '../../layers/input.js';
import { SMALL_BITS, smallValue } from '../codes.js';
import { checkedElements, halfToNumber, STORED_BYTES, type StoredType, toFloat32 } from '../numbers.js';
import type { OnnxTensor } from './proto.js';
import { isWide, valueType } from './types.js';
import type { Constant } from './value.js';

export type ReadExternal = (location: string) => Uint8Array | undefined;

const STORED: Readonly<Partial<Record<ValueType, StoredType>>> = {
  float32: 'f32',
  float64: 'f64',
  float16: 'f16',
  bfloat16: 'bf16',
  uint8: 'u8',
  int8: 'i8',
  uint16: 'u16',
  int16: 'i16',
  int32: 'i32',
  int64: 'i64',
  uint32: 'u32',
  uint64: 'u64',
  bool: 'bool',
};

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `ONNX: ${message}`);
}

/** Paths of other files are relative and stay in the folder of the model. */
function checkLocation(location: string, name: string): void {
  const parts = location.split(/[\\/]/);
  const leaves =
    location === '' || /^([a-z]:|[\\/])/i.test(location) || parts.includes('..') || location.includes('\0');
  if (leaves)
    fail(`the values of ${name} lie in ${JSON.stringify(location.slice(0, 200))}, which is no file beside the model.`);
}

function rawBytes(tensor: OnnxTensor, name: string, readExternal: ReadExternal): Uint8Array | null {
  if (!tensor.external) return tensor.rawData;
  const location = tensor.external.get('location') ?? '';
  checkLocation(location, name);
  const file = readExternal(location) ?? fail(`the values of ${name} lie in the file ${location}; give it too.`);
  const offset = Number(tensor.external.get('offset') ?? 0);
  const length = Number(tensor.external.get('length') ?? file.byteLength - offset);
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    fail(`${name}: offset and length in ${location} must be integers.`);
  }
  if (offset + length > file.byteLength) fail(`${name} ends behind the end of ${location}.`);
  return file.subarray(offset, offset + length);
}

function wideValues(bytes: Uint8Array, type: StoredType): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const step = STORED_BYTES[type];
  return Float64Array.from({ length: bytes.byteLength / step }, (_, index) => {
    if (type === 'f64') return view.getFloat64(index * step, true);
    if (type === 'i32') return view.getInt32(index * step, true);
    if (type === 'u32') return view.getUint32(index * step, true);
    return Number(type === 'i64' ? view.getBigInt64(index * step, true) : view.getBigUint64(index * step, true));
  });
}

/** Values of 8 bits and less from bytes. */
function smallValues(bytes: ArrayLike<number>, type: ValueType, elements: number): Float32Array {
  const bits = SMALL_BITS[type] ?? 8;
  const perByte = 8 / bits;
  return Float32Array.from({ length: elements }, (_, index) => {
    const byte = (bytes[Math.floor(index / perByte)] as number) & 0xff;
    const code = (byte >> ((index % perByte) * bits)) & (2 ** bits - 1);
    return smallValue(code, type);
  });
}

/** int32_data holds the bits of the 16-bit floats. */
function typedValues(tensor: OnnxTensor, type: ValueType): Float32Array | Float64Array {
  if (type === 'float16') return Float32Array.from(tensor.typedData, halfToNumber);
  if (type === 'bfloat16') {
    const words = Uint32Array.from(tensor.typedData, (bits) => (bits & 0xffff) << 16);
    return new Float32Array(words.buffer);
  }
  const isExact = isWide(type) || type === 'float64';
  return isExact ? Float64Array.from(tensor.typedData) : Float32Array.from(tensor.typedData);
}

/** The values of a TensorProto: float64 for wide integers and float64 itself, else float32. Throws INVALID_FILE. */
export function readConstant(tensor: OnnxTensor, name: string, readExternal: ReadExternal): Constant {
  const type =
    valueType(tensor.dataType) ?? fail(`the tensor ${name} has the data type ${tensor.dataType}, not a number.`);
  const elements = checkedElements(tensor.dims, `ONNX: the tensor ${name}`);
  const stored = STORED[type];
  const size = stored ? elements * STORED_BYTES[stored] : Math.ceil((elements * (SMALL_BITS[type] ?? 8)) / 8);
  const bytes = rawBytes(tensor, name, readExternal);
  if (bytes && bytes.byteLength !== size) {
    fail(`the tensor ${name} [${tensor.dims.join(', ')}] takes ${size} bytes; it has ${bytes.byteLength}.`);
  }
  let data: Float32Array | Float64Array;
  if (!stored) {
    const source = bytes ?? tensor.typedData;
    if (source.length !== size) {
      fail(`the tensor ${name} [${tensor.dims.join(', ')}] takes ${size} bytes; the file holds ${source.length}.`);
    }
    data = smallValues(source, type, elements);
  } else if (bytes) data = isWide(type) || type === 'float64' ? wideValues(bytes, stored) : toFloat32(bytes, stored);
  else data = typedValues(tensor, type);
  if (data.length !== elements) {
    fail(`the tensor ${name} [${tensor.dims.join(', ')}] has ${elements} values; the file holds ${data.length}.`);
  }
  return { kind: 'constant', name, type, shape: tensor.dims, data };
}
