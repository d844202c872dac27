import { ModelError } from '../errors.js';

/**
 * Little-endian values at given places of a file. Every access is checked against the file's end: places that a hostile or
 * truncated file gives lead to INVALID_FILE, never to a RangeError or to bytes of something else.
 */
export class ByteReader {
  private readonly view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    private readonly format: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.byteLength;
  }

  fail(message: string): never {
    throw new ModelError('INVALID_FILE', `${this.format}: ${message}`);
  }

  /** Throws INVALID_FILE unless `length` bytes at `at` lie within the file. */
  check(at: number, length: number): void {
    if (!Number.isSafeInteger(at) || !Number.isSafeInteger(length) || at < 0 || length < 0 || at + length > this.length)
      this.fail(`${length} bytes at ${at} lie outside the file of ${this.length} bytes; it is truncated or damaged.`);
  }

  u8(at: number): number {
    this.check(at, 1);
    return this.view.getUint8(at);
  }

  i8(at: number): number {
    this.check(at, 1);
    return this.view.getInt8(at);
  }

  u16(at: number): number {
    this.check(at, 2);
    return this.view.getUint16(at, true);
  }

  u32(at: number): number {
    this.check(at, 4);
    return this.view.getUint32(at, true);
  }

  i32(at: number): number {
    this.check(at, 4);
    return this.view.getInt32(at, true);
  }

  f32(at: number): number {
    this.check(at, 4);
    return this.view.getFloat32(at, true);
  }

  i64(at: number): bigint {
    this.check(at, 8);
    return this.view.getBigInt64(at, true);
  }

  /** An unsigned integer of `size` (1, 2, 4, 8) bytes. Those of 8 bytes above 2^53 come out inexact, but far outside any file. */
  unsigned(at: number, size: number): number {
    switch (size) {
      case 1:
        return this.u8(at);
      case 2:
        return this.u16(at);
      case 4:
        return this.u32(at);
      default:
        this.check(at, 8);
        return Number(this.view.getBigUint64(at, true));
    }
  }

  /** A view, not a copy. */
  slice(at: number, length: number): Uint8Array {
    this.check(at, length);
    return this.bytes.subarray(at, at + length);
  }

  /** UTF-8 text of `length` bytes, up to the first zero if there is one. */
  text(at: number, length: number): string {
    const bytes = this.slice(at, length);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** The ASCII characters at `at`, for signatures. */
  isAt(at: number, signature: string): boolean {
    if (at < 0 || at + signature.length > this.length) return false;
    for (let index = 0; index < signature.length; index++)
      if (this.bytes[at + index] !== signature.charCodeAt(index)) return false;
    return true;
  }
}
