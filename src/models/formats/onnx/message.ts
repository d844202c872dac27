import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { ModelError } from '../../errors.js';

export function fail(message: string, cause?: unknown): never {
  throw new ModelError('INVALID_FILE', `ONNX: ${message}`, [], { cause });
}

type Field = (reader: BinaryReader, wireType: WireType) => void;

/** Reads one message; fields without a handler are skipped. */
export function readMessage(bytes: Uint8Array, fields: Readonly<Record<number, Field>>): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = fields[number];
    if (field) field(reader, wireType);
    else reader.skip(wireType, number);
    if (reader.pos > reader.len) fail('a field is longer than the message around it.');
  }
}

export const integer = (reader: BinaryReader): number => {
  const value = Number(reader.int64());
  return Number.isSafeInteger(value) ? value : value > 0 ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
};

export function expect(wireType: WireType, expected: WireType): void {
  if (wireType !== expected) fail(`a field has the wire type ${wireType}; expected ${expected}.`);
}

export const text =
  (set: (value: string) => void): Field =>
  (reader, wireType) => {
    expect(wireType, WireType.LengthDelimited);
    set(reader.string());
  };
export const bytes =
  (set: (value: Uint8Array) => void): Field =>
  (reader, wireType) => {
    expect(wireType, WireType.LengthDelimited);
    set(reader.bytes());
  };
export const int =
  (set: (value: number) => void): Field =>
  (reader, wireType) => {
    expect(wireType, WireType.Varint);
    set(integer(reader));
  };

/** A repeated number, packed or not. */
export function numbers(list: number[], type: WireType, read: (reader: BinaryReader) => number): Field {
  return (reader, wireType) => {
    if (wireType !== WireType.LengthDelimited) {
      expect(wireType, type);
      list.push(read(reader));
      return;
    }
    const end = reader.uint32() + reader.pos;
    if (end > reader.len) fail('a packed list is longer than the message around it.');
    while (reader.pos < end) list.push(read(reader));
  };
}
