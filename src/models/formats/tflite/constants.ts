import { checkedElements, type StoredType, STORED_BYTES, toFloat32 } from '../numbers.js';
import type { Constant } from '../tensorflow/value.js';
import { notMapped } from '../tensorflow/value.js';
import type { TfliteModel, TfliteTensor } from './schema.js';

/** By the numbers of `TensorType`. */
const TYPES: Readonly<Record<number, StoredType>> = {
  0: 'f32',
  1: 'f16',
  2: 'i32',
  3: 'u8',
  4: 'i64',
  6: 'bool',
  7: 'i16',
  9: 'i8',
  10: 'f64',
  15: 'u32',
  16: 'u16',
  18: 'bf16',
};
export const TENSOR_TYPES = { float32: 0, uint8: 3, int8: 9 } as const;

/** Values of tensors that the file holds, dequantised. Many operators may name one tensor: what is read in all is bounded. */
export class Constants {
  private budget: number;

  constructor(private readonly model: TfliteModel) {
    // Each value takes at least a byte in the file, and few are shared.
    this.budget = model.file.length * 4 + 1_000_000;
  }

  has(index: number): boolean {
    return (this.model.tensors[index]?.data.length ?? 0) > 0;
  }

  /** Counts values that an operator gets. Throws INVALID_FILE where they are far more than the file holds. */
  spend(elements: number): void {
    this.budget -= elements;
    if (this.budget < 0) this.model.file.fail('its operators read the same tensors again and again.');
  }

  /** Throws INVALID_FILE, or NotMapped for sparse tensors and types that no weights have. */
  get(index: number): Constant {
    const { file } = this.model;
    const tensor = this.model.tensors[index] ?? file.fail(`there is no tensor ${index}.`);
    const type = TYPES[tensor.type];
    if (!type || tensor.isSparse) return notMapped(`${tensor.name} is ${type ? 'sparse' : `of type ${tensor.type}`}`);
    const elements = checkedElements(tensor.shape, `TensorFlow Lite: ${tensor.name.slice(0, 80)}`);
    if (elements * STORED_BYTES[type] !== tensor.data.length) {
      file.fail(
        `${tensor.name.slice(0, 80)} has ${tensor.data.length} bytes; [${tensor.shape.join(', ')}] needs others.`,
      );
    }
    this.spend(elements);
    const data = toFloat32(tensor.data, type);
    if (tensor.quantization && type !== 'f32') dequantize(file.fail.bind(file), tensor, data);
    return { shape: tensor.shape, data };
  }
}

function dequantize(fail: (message: string) => never, tensor: TfliteTensor, data: Float32Array): void {
  const { scales, zeroPoints, dimension } = tensor.quantization as NonNullable<TfliteTensor['quantization']>;
  const perChannel = scales.length > 1;
  const size = perChannel ? tensor.shape[dimension] : 1;
  if (size !== scales.length || (zeroPoints.length > 1 && zeroPoints.length !== scales.length)) {
    fail(`${tensor.name.slice(0, 80)} has ${scales.length} scales along dimension ${dimension}.`);
  }
  const inner = perChannel
    ? tensor.shape.slice(dimension + 1).reduce((product, item) => product * item, 1)
    : data.length;
  for (let index = 0; index < data.length; index++) {
    const channel = perChannel ? Math.floor(index / inner) % scales.length : 0;
    const zeroPoint = zeroPoints[zeroPoints.length > 1 ? channel : 0] ?? 0;
    data[index] = (scales[channel] as number) * ((data[index] as number) - zeroPoint);
  }
}
