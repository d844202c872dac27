import { PyObject, PyTuple, type PickleValue } from '../pickle/values.js';

/** A numpy dtype: `f8` and the like, and the byte order once its state has been set. */
export class NumpyDtype extends PyObject {
  constructor(readonly code: string) {
    super('numpy.dtype');
  }

  /** The second part of the state is `<`, `>`, `=` or `|` (numpy's `dtype.__setstate__`). */
  get isLittleEndian(): boolean {
    return !(this.state instanceof PyTuple) || this.state.items[1] !== '>';
  }
}

const READERS: Readonly<Record<string, (view: DataView, little: boolean) => number | boolean>> = {
  f8: (view, little) => view.getFloat64(0, little),
  f4: (view, little) => view.getFloat32(0, little),
  i8: (view, little) => Number(view.getBigInt64(0, little)),
  u8: (view, little) => Number(view.getBigUint64(0, little)),
  i4: (view, little) => view.getInt32(0, little),
  u4: (view, little) => view.getUint32(0, little),
  i2: (view, little) => view.getInt16(0, little),
  u2: (view, little) => view.getUint16(0, little),
  i1: (view) => view.getInt8(0),
  u1: (view) => view.getUint8(0),
  b1: (view) => view.getUint8(0) !== 0,
};

/** The value of `numpy.core.multiarray.scalar(dtype, bytes)`; what is no plain number stays an object. */
export function numpyScalar(dtype: PickleValue, data: PickleValue): PickleValue {
  const unread = new PyObject('numpy scalar');
  if (!(dtype instanceof NumpyDtype) || !Object.hasOwn(READERS, dtype.code)) return unread;
  // Python 2 wrote the bytes as a text of one character for each.
  const bytes = typeof data === 'string' ? Uint8Array.from(data, (character) => character.charCodeAt(0)) : data;
  if (!(bytes instanceof Uint8Array) || bytes.length !== Number(dtype.code.slice(1))) return unread;
  const read = READERS[dtype.code] as (typeof READERS)[string];
  return read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), dtype.isLittleEndian);
}
