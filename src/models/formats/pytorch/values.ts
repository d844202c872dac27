import type { StoredType } from '../numbers.js';
import { PyObject } from '../pickle/values.js';

/** What the numbers of a storage are; `untyped` where the tensors on it say so themselves. */
export type TorchType = StoredType | 'untyped' | UnreadableType;
/** Types without a float32 counterpart: a tensor of one is refused when it is a weight, and left out else. */
export type UnreadableType = 'complex32' | 'complex64' | 'complex128' | 'quantised' | 'float4_e2m1fn_x2';

/** Names of `torch.dtype` objects, e.g. `torch.float32`. */
export const DTYPES: Readonly<Record<string, StoredType | UnreadableType>> = {
  float32: 'f32',
  float64: 'f64',
  float16: 'f16',
  bfloat16: 'bf16',
  int8: 'i8',
  uint8: 'u8',
  int16: 'i16',
  uint16: 'u16',
  int32: 'i32',
  uint32: 'u32',
  int64: 'i64',
  uint64: 'u64',
  bool: 'bool',
  float8_e4m3fn: 'f8e4m3fn',
  float8_e4m3fnuz: 'f8e4m3fnuz',
  float8_e5m2: 'f8e5m2',
  float8_e5m2fnuz: 'f8e5m2fnuz',
  float8_e8m0fnu: 'f8e8m0fnu',
  complex32: 'complex32',
  complex64: 'complex64',
  complex128: 'complex128',
  float4_e2m1fn_x2: 'float4_e2m1fn_x2',
  quint8: 'quantised',
  qint8: 'quantised',
  qint32: 'quantised',
};

/** Names of storage classes, e.g. `torch.FloatStorage`. */
export const STORAGES: Readonly<Record<string, TorchType>> = {
  FloatStorage: 'f32',
  DoubleStorage: 'f64',
  HalfStorage: 'f16',
  BFloat16Storage: 'bf16',
  CharStorage: 'i8',
  ByteStorage: 'u8',
  ShortStorage: 'i16',
  IntStorage: 'i32',
  LongStorage: 'i64',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
  QUInt8Storage: 'quantised',
  QInt8Storage: 'quantised',
  QInt32Storage: 'quantised',
  UntypedStorage: 'untyped',
};

/** Numbers in the file that tensors lie in; several may share one. */
export class TorchStorage extends PyObject {
  constructor(
    /** Its name in the file. */
    readonly key: string,
    readonly dtype: TorchType,
    /** Numbers, or bytes where it is untyped. */
    readonly elements: number,
  ) {
    super('torch.Storage');
  }
}

/** A tensor as a view into a storage, nothing of it checked yet. */
export class TorchTensor extends PyObject {
  constructor(
    readonly storage: TorchStorage,
    readonly dtype: TorchType,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly stride: readonly number[],
  ) {
    super('torch.Tensor');
  }
}
