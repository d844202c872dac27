import { fromHalf, toHalf } from '../kernels/half.js';
import type { RecordField } from '../kernels/ops/gatherRecords/gatherRecords.js';
import { alignTo, BYTES_PER_ELEMENT, elementCount, type Shape } from '../kernels/tensor.js';

export type FeatureType = 'f32' | 'f16';

/**
 * One picture's features as bytes, the same in a store, in memory and on the device: the values of the boundary's layers one
 * after the other, each from a multiple of four elements on, the gaps 0. float16 serves trunks that compute float16 values: it
 * holds them exactly, so that no result depends on whether a feature went through a record.
 */
export class RecordLayout {
  readonly fields: readonly RecordField[];
  /** Of a record; a multiple of 4. */
  readonly elements: number;
  readonly bytes: number;

  constructor(
    readonly shapes: ReadonlyMap<string, Shape>,
    readonly dtype: FeatureType,
  ) {
    let offset = 0;
    this.fields = Array.from(shapes, ([name, shape]) => {
      const field = { name, shape, offset };
      offset += alignTo(elementCount(shape), 4);
      return field;
    });
    this.elements = offset;
    this.bytes = offset * BYTES_PER_ELEMENT[dtype];
  }

  /** The records of `count` pictures from the values of each layer, row-major [count, ...shape]. */
  encode(values: Readonly<Record<string, Float32Array>>, count: number): Uint8Array {
    const all = new Float32Array(count * this.elements);
    for (const { name, shape, offset } of this.fields) {
      const size = elementCount(shape);
      const value = values[name] as Float32Array;
      for (let i = 0; i < count; i++) {
        all.set(value.subarray(i * size, (i + 1) * size), i * this.elements + offset);
      }
    }
    const encoded = this.dtype === 'f16' ? toHalf(all) : all;
    return new Uint8Array(encoded.buffer);
  }

  /** The values of each layer of a batch, float32. */
  decode(records: readonly Uint8Array[]): Record<string, Float32Array> {
    const inputs: Record<string, Float32Array> = {};
    const elements = records.map(({ buffer, byteOffset }) =>
      this.dtype === 'f16'
        ? fromHalf(new Uint16Array(buffer, byteOffset, this.elements))
        : new Float32Array(buffer, byteOffset, this.elements),
    );
    for (const { name, shape, offset } of this.fields) {
      const size = elementCount(shape);
      const batch = new Float32Array(records.length * size);
      for (const [i, record] of elements.entries()) batch.set(record.subarray(offset, offset + size), i * size);
      inputs[name] = batch;
    }
    return inputs;
  }
}
