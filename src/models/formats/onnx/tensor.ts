import { ModelError } from '../../errors.js';
import { checkedElements, halfToNumber, STORED_BYTES, type StoredType, toFloat32 } from '../numbers.js';
import type { OnnxTensor } from './proto.js';

/** A value that is known when the file is read. NaN in integer data stands for the size of the batch. */
export interface Constant {
  readonly kind: 'constant';
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** TensorProto.DataType. */
const TYPES: Readonly<Record<number, StoredType>> = {
  1: 'f32',
  2: 'u8',
  3: 'i8',
  4: 'u16',
  5: 'i16',
  6: 'i32',
  7: 'i64',
  9: 'bool',
  10: 'f16',
  11: 'f64',
  12: 'u32',
  13: 'u64',
  16: 'bf16',
};

/** Types whose values float32 may not hold exactly: shapes and indices. */
const WIDE: readonly StoredType[] = ['i32', 'i64', 'u32', 'u64'];

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `ONNX: ${message}`);
}

function rawBytes(tensor: OnnxTensor, readExternal: (location: string) => Uint8Array | undefined): Uint8Array | null {
  if (!tensor.external) return tensor.rawData;
  const location = tensor.external.get('location') ?? '';
  const file = readExternal(location) ?? fail(`the values of ${tensor.name} lie in the file ${location}; give it too.`);
  const offset = Number(tensor.external.get('offset') ?? 0);
  const length = Number(tensor.external.get('length') ?? file.byteLength - offset);
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    fail(`${tensor.name}: offset and length in ${location} must be integers.`);
  }
  if (offset + length > file.byteLength) fail(`${tensor.name} ends behind the end of ${location}.`);
  return file.subarray(offset, offset + length);
}

function wideValues(bytes: Uint8Array, type: StoredType): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const step = STORED_BYTES[type];
  return Float64Array.from({ length: bytes.byteLength / step }, (_, index) => {
    if (type === 'i32') return view.getInt32(index * step, true);
    if (type === 'u32') return view.getUint32(index * step, true);
    return Number(type === 'i64' ? view.getBigInt64(index * step, true) : view.getBigUint64(index * step, true));
  });
}

/** int32_data holds the bits of the 16-bit floats. */
function typedValues(tensor: OnnxTensor, type: StoredType): Float32Array | Float64Array {
  if (type === 'f16') return Float32Array.from(tensor.typedData, halfToNumber);
  if (type === 'bf16') {
    const words = Uint32Array.from(tensor.typedData, (bits) => (bits & 0xffff) << 16);
    return new Float32Array(words.buffer);
  }
  return WIDE.includes(type) ? Float64Array.from(tensor.typedData) : Float32Array.from(tensor.typedData);
}

/** The values of a TensorProto: floats and bytes as float32, wider integers as float64. Throws INVALID_FILE. */
export function readConstant(
  tensor: OnnxTensor,
  name: string,
  readExternal: (location: string) => Uint8Array | undefined,
): Constant {
  const type = TYPES[tensor.dataType] ?? fail(`the tensor ${name} has the data type ${tensor.dataType}, not a number.`);
  const elements = checkedElements(tensor.dims, `ONNX: the tensor ${name}`);
  const bytes = rawBytes(tensor, readExternal);
  if (bytes && bytes.byteLength !== elements * STORED_BYTES[type]) {
    fail(
      `the tensor ${name} [${tensor.dims.join(', ')}] takes ${elements * STORED_BYTES[type]} bytes; it has ${bytes.byteLength}.`,
    );
  }
  let data: Float32Array | Float64Array;
  if (bytes) data = WIDE.includes(type) ? wideValues(bytes, type) : toFloat32(bytes, type);
  else data = typedValues(tensor, type);
  if (data.length !== elements) {
    fail(`the tensor ${name} [${tensor.dims.join(', ')}] has ${elements} values; the file holds ${data.length}.`);
  }
  return { kind: 'constant', name, shape: tensor.dims, data };
}
