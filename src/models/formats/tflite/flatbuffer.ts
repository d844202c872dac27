import { ByteReader } from '../byteReader.js';

/** Far above what a network has; what the vectors that are read hold together. */
const MAX_ITEMS = 20_000_000;

/** The bytes of a FlatBuffers file, and how much of its vectors may still be read. */
export class FlatBuffer extends ByteReader {
  private items = 0;

  constructor(bytes: Uint8Array) {
    super(bytes, 'TensorFlow Lite');
  }

  get root(): Table {
    return new Table(this, this.u32(0));
  }

  /** Vectors may share bytes, so that few bytes can claim to be many long ones. */
  count(items: number): void {
    this.items += items;
    if (this.items > MAX_ITEMS) this.fail(`its lists have more than ${MAX_ITEMS} items.`);
  }
}

/**
 * A table of FlatBuffers (its "internals" page): the distance back to its vtable, which has the place of each field in the table, 0
 * for those that have their default value. Fields are numbered as in the schema. Throws INVALID_FILE for places outside the file.
 */
export class Table {
  private readonly vtable: number;
  private readonly fields: number;

  constructor(
    private readonly file: FlatBuffer,
    private readonly at: number,
  ) {
    this.vtable = at - file.i32(at);
    this.fields = (file.u16(this.vtable) - 4) >> 1;
  }

  /** Where a field lies; null where it has its default. */
  private place(field: number): number | null {
    if (field >= this.fields) return null;
    const offset = this.file.u16(this.vtable + 4 + 2 * field);
    return offset === 0 ? null : this.at + offset;
  }

  u8(field: number, otherwise = 0): number {
    const at = this.place(field);
    return at === null ? otherwise : this.file.u8(at);
  }

  i8(field: number, otherwise = 0): number {
    const at = this.place(field);
    return at === null ? otherwise : this.file.i8(at);
  }

  flag(field: number): boolean {
    return this.u8(field) !== 0;
  }

  i32(field: number, otherwise = 0): number {
    const at = this.place(field);
    return at === null ? otherwise : this.file.i32(at);
  }

  u32(field: number, otherwise = 0): number {
    const at = this.place(field);
    return at === null ? otherwise : this.file.u32(at);
  }

  u64(field: number): number {
    const at = this.place(field);
    return at === null ? 0 : this.file.unsigned(at, 8);
  }

  f32(field: number, otherwise = 0): number {
    const at = this.place(field);
    return at === null ? otherwise : this.file.f32(at);
  }

  table(field: number): Table | null {
    const at = this.target(field);
    return at === null ? null : new Table(this.file, at);
  }

  text(field: number): string {
    const [at, length] = this.vector(field, 1);
    return length === 0 ? '' : this.file.text(at, length);
  }

  bytes(field: number): Uint8Array {
    const at = this.target(field);
    return at === null ? new Uint8Array() : this.file.slice(at + 4, this.file.u32(at));
  }

  tables(field: number): Table[] {
    const [at, length] = this.vector(field, 4);
    return Array.from({ length }, (_, index) => {
      const item = at + 4 * index;
      return new Table(this.file, item + this.file.u32(item));
    });
  }

  i32s(field: number): number[] {
    const [at, length] = this.vector(field, 4);
    return Array.from({ length }, (_, index) => this.file.i32(at + 4 * index));
  }

  f32s(field: number): number[] {
    const [at, length] = this.vector(field, 4);
    return Array.from({ length }, (_, index) => this.file.f32(at + 4 * index));
  }

  i64s(field: number): number[] {
    const [at, length] = this.vector(field, 8);
    return Array.from({ length }, (_, index) => Number(this.file.i64(at + 8 * index)));
  }

  private target(field: number): number | null {
    const at = this.place(field);
    return at === null ? null : at + this.file.u32(at);
  }

  private vector(field: number, itemBytes: number): [at: number, length: number] {
    const at = this.target(field);
    if (at === null) return [0, 0];
    const length = this.file.u32(at);
    this.file.check(at + 4, length * itemBytes);
    this.file.count(length);
    return [at + 4, length];
  }
}
