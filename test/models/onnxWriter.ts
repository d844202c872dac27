import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Writes ONNX files by hand, field by field as onnx.proto has them, so that a test says exactly what is in a file. */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | { float: number }
  | { floats: readonly number[] }
  | Uint8Array;

export interface NodeSpec {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name?: string;
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

export const FLOAT = 1;
export const INT64 = 7;

const ld = (writer: BinaryWriter, field: number, bytes: Uint8Array): BinaryWriter =>
  writer.tag(field, WireType.LengthDelimited).bytes(bytes);
const str = (writer: BinaryWriter, field: number, text: string): BinaryWriter =>
  writer.tag(field, WireType.LengthDelimited).string(text);
const int = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Varint).int64(value);

function packed(write: (writer: BinaryWriter, value: number) => void, values: readonly number[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const value of values) write(writer, value);
  return writer.finish();
}

/** TensorProto. `storage`: raw_data, or the typed lists (packed, as proto3 has them, or one by one as old writers do). */
export function tensor(
  name: string,
  dims: readonly number[],
  values: ArrayLike<number>,
  type = FLOAT,
  storage: 'raw' | 'typed' | 'unpacked' = 'raw',
): Uint8Array {
  const writer = new BinaryWriter();
  const list = Array.from(values);
  for (const size of dims) int(writer, 1, size);
  int(writer, 2, type);
  if (storage === 'raw') {
    const bytes = new DataView(new ArrayBuffer(list.length * (type === INT64 ? 8 : 4)));
    list.forEach((value, index) => {
      if (type === INT64) bytes.setBigInt64(index * 8, BigInt(value), true);
      else bytes.setFloat32(index * 4, value, true);
    });
    ld(writer, 9, new Uint8Array(bytes.buffer));
  } else if (storage === 'typed') {
    if (type === FLOAT)
      ld(
        writer,
        4,
        packed((w, value) => w.float(value), list),
      );
    else
      ld(
        writer,
        type === INT64 ? 7 : 5,
        packed((w, value) => w.int64(value), list),
      );
  } else {
    for (const value of list) writer.tag(4, WireType.Bit32).float(value);
  }
  return str(writer, 8, name).finish();
}

/** TensorProto of any type with these raw bytes. */
export function rawTensor(name: string, dims: readonly number[], type: number, bytes: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  for (const size of dims) int(writer, 1, size);
  return str(ld(int(writer, 2, type), 9, bytes), 8, name).finish();
}

/** TensorProto of floats whose values lie in another file. */
export function externalTensor(
  name: string,
  dims: readonly number[],
  location: string,
  offset: number,
  length: number,
) {
  const writer = new BinaryWriter();
  for (const size of dims) int(writer, 1, size);
  str(int(writer, 2, FLOAT), 8, name);
  for (const [key, value] of Object.entries({ location, offset: String(offset), length: String(length) })) {
    ld(writer, 13, str(str(new BinaryWriter(), 1, key), 2, value).finish());
  }
  return int(writer, 14, 1).finish();
}

function attribute(name: string, value: AttributeValue): Uint8Array {
  const writer = str(new BinaryWriter(), 1, name);
  const type = (code: number) => int(writer, 20, code).finish();
  if (typeof value === 'number') {
    int(writer, 3, value);
    return type(2);
  }
  if (typeof value === 'string') {
    str(writer, 4, value);
    return type(3);
  }
  if (value instanceof Uint8Array) {
    ld(writer, 5, value);
    return type(4);
  }
  if ('float' in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    return type(1);
  }
  if ('floats' in value) {
    for (const item of value.floats) writer.tag(7, WireType.Bit32).float(item);
    return type(6);
  }
  for (const item of value) int(writer, 8, item);
  return type(7);
}

function node({ op, inputs, outputs, name = '', domain = '', attributes = {} }: NodeSpec): Uint8Array {
  const writer = new BinaryWriter();
  for (const input of inputs) str(writer, 1, input);
  for (const output of outputs) str(writer, 2, output);
  str(writer, 3, name);
  str(writer, 4, op);
  for (const [key, value] of Object.entries(attributes)) ld(writer, 5, attribute(key, value));
  return str(writer, 7, domain).finish();
}

/** ValueInfoProto of a tensor; texts are open dimensions. */
export function valueInfo(name: string, dims: readonly (number | string)[], type = FLOAT): Uint8Array {
  const shape = new BinaryWriter();
  for (const size of dims) {
    const dim = new BinaryWriter();
    ld(shape, 1, (typeof size === 'number' ? int(dim, 1, size) : str(dim, 2, size)).finish());
  }
  const tensorType = ld(int(new BinaryWriter(), 1, type), 2, shape.finish()).finish();
  return ld(str(new BinaryWriter(), 1, name), 2, ld(new BinaryWriter(), 1, tensorType).finish()).finish();
}

export interface GraphSpec {
  readonly nodes: readonly NodeSpec[];
  readonly initializers?: readonly Uint8Array[];
  readonly inputs: readonly Uint8Array[];
  /** By name where they are [N, F], else as `valueInfo`. */
  readonly outputs?: readonly (string | Uint8Array)[];
  readonly opset?: number;
}

/** ModelProto. */
export function onnxFile({ nodes, initializers = [], inputs, outputs = ['y'], opset = 13 }: GraphSpec): Uint8Array {
  const graph = new BinaryWriter();
  for (const item of nodes) ld(graph, 1, node(item));
  str(graph, 2, 'test');
  for (const item of initializers) ld(graph, 5, item);
  for (const item of inputs) ld(graph, 11, item);
  for (const item of outputs) ld(graph, 12, typeof item === 'string' ? valueInfo(item, ['N', 'F']) : item);
  const writer = int(new BinaryWriter(), 1, 8);
  ld(writer, 7, graph.finish());
  return ld(writer, 8, int(str(new BinaryWriter(), 1, ''), 2, opset).finish()).finish();
}
