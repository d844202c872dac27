import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { IS_LITTLE_ENDIAN } from '../../numbers.js';

/**
 * A protobuf message as parts that lie behind each other. Messages nest without being copied, so that a file with hundreds of
 * megabytes of weights is written once.
 */
export class Message {
  private readonly parts: Uint8Array[] = [];
  byteLength = 0;

  private append(part: Uint8Array): this {
    this.parts.push(part);
    this.byteLength += part.byteLength;
    return this;
  }

  /** Fields whose value is undefined are left out. */
  int(field: number, value: number | undefined): this {
    if (value === undefined) return this;
    return this.append(new BinaryWriter().tag(field, WireType.Varint).int64(value).finish());
  }

  float(field: number, value: number): this {
    return this.append(new BinaryWriter().tag(field, WireType.Bit32).float(value).finish());
  }

  text(field: number, value: string): this {
    return this.append(new BinaryWriter().tag(field, WireType.LengthDelimited).string(value).finish());
  }

  bytes(field: number, value: Uint8Array): this {
    this.append(new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(value.byteLength).finish());
    return this.append(value);
  }

  message(field: number, value: Message): this {
    this.append(new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(value.byteLength).finish());
    for (const part of value.parts) this.append(part);
    return this;
  }

  finish(): Uint8Array {
    const bytes = new Uint8Array(this.byteLength);
    let offset = 0;
    for (const part of this.parts) {
      bytes.set(part, offset);
      offset += part.byteLength;
    }
    return bytes;
  }
}

/** Codes of TensorProto.DataType. */
const DATA_TYPES = { float32: 1, uint8: 2, int64: 7 } as const;
export type OnnxType = keyof typeof DATA_TYPES;
export const dataType = (type: OnnxType): number => DATA_TYPES[type];

/** AttributeProto.AttributeType with the field that holds the value. Numbers are integers, so a float is marked. */
export type AttributeValue = number | string | readonly number[] | { readonly float: number };

function attribute(name: string, value: AttributeValue): Message {
  const message = new Message().text(1, name);
  if (typeof value === 'number') return message.int(3, value).int(20, 2);
  if (typeof value === 'string') return message.text(4, value).int(20, 3);
  if ('float' in value) return message.float(2, value.float).int(20, 1);
  for (const item of value) message.int(8, item);
  return message.int(20, 7);
}

export interface NodeSpec {
  readonly name: string;
  readonly operator: string;
  /** An empty name is an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** NodeProto. */
export function nodeMessage({ name, operator, inputs, outputs, attributes }: NodeSpec): Message {
  const message = new Message();
  for (const input of inputs) message.text(1, input);
  for (const output of outputs) message.text(2, output);
  message.text(3, name).text(4, operator);
  for (const [key, value] of Object.entries(attributes)) message.message(5, attribute(key, value));
  return message;
}

/** Little-endian bytes, without a copy where the machine has them so itself. */
function floatBytes(data: Float32Array): Uint8Array {
  if (IS_LITTLE_ENDIAN) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const view = new DataView(new ArrayBuffer(data.byteLength));
  data.forEach((value, index) => view.setFloat32(index * 4, value, true));
  return new Uint8Array(view.buffer);
}

function integerBytes(data: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(data.length * 8));
  data.forEach((value, index) => view.setBigInt64(index * 8, BigInt(value), true));
  return new Uint8Array(view.buffer);
}

/** TensorProto: float32, or int64 where the values are a list of integers. */
export function tensorMessage(name: string, dims: readonly number[], data: Float32Array | readonly number[]): Message {
  const isFloat = data instanceof Float32Array;
  const message = new Message();
  for (const size of dims) message.int(1, size);
  return message
    .int(2, dataType(isFloat ? 'float32' : 'int64'))
    .text(8, name)
    .bytes(9, isFloat ? floatBytes(data) : integerBytes(data));
}

/** ValueInfoProto of a tensor; texts are open dimensions. */
export function valueMessage(name: string, type: OnnxType, dims: readonly (number | string)[]): Message {
  const shape = new Message();
  for (const size of dims) {
    const dimension = new Message();
    shape.message(1, typeof size === 'number' ? dimension.int(1, size) : dimension.text(2, size));
  }
  const tensor = new Message().int(1, dataType(type)).message(2, shape);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
