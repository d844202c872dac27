import type { INTEGERS } from '../../../kernels/ops/roundTo/numberTypes.js';
import type { ValueType } from '../../layers/input.js';

/** Number types by ONNX's TensorProto.DataType. */
const VALUE_TYPE: Readonly<Record<number, ValueType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
  24: 'float8e8m0',
  25: 'uint2',
  26: 'int2',
};

/** Null for types that are no numbers: texts, complex numbers, sequences. */
export const valueType = (dataType: number): ValueType | null => VALUE_TYPE[dataType] ?? null;

export const isInteger = (type: ValueType): type is keyof typeof INTEGERS =>
  type.startsWith('int') || type.startsWith('uint');

/** Integers that float32 holds only up to 2^24: shapes and indices are of these types, and are kept in float64. */
export const isWide = (type: ValueType): boolean => ['int32', 'int64', 'uint32', 'uint64'].includes(type);
