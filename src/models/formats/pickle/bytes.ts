import { ModelError } from '../../errors.js';

export function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `pickle: ${message}`);
}

/** The longest name of a module, class or function. */
const MAX_NAME_BYTES = 512;
/** The longest int; the largest that PyTorch writes is its magic number of ten bytes. */
const MAX_INT_BYTES = 64;
const NEWLINE = 0x0a;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the arguments of opcodes; all numbers are little-endian but floats. Throws INVALID_FILE where the data ends. */
export class PickleBytes {
  private readonly view: DataView;
  position: number;

  constructor(
    private readonly bytes: Uint8Array,
    start: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = start;
  }

  private advance(count: number): number {
    const at = this.position;
    if (!(count <= this.bytes.length - at)) fail(`it ends early: ${count} bytes are missing behind byte ${at}.`);
    this.position = at + count;
    return at;
  }

  u8 = (): number => this.view.getUint8(this.advance(1));
  u16 = (): number => this.view.getUint16(this.advance(2), true);
  u32 = (): number => this.view.getUint32(this.advance(4), true);
  i32 = (): number => this.view.getInt32(this.advance(4), true);
  float = (): number => this.view.getFloat64(this.advance(8), false);

  u64 = (): number => {
    const value = this.view.getBigUint64(this.advance(8), true);
    if (value > BigInt(this.bytes.length)) fail(`it claims a value of ${value} bytes.`);
    return Number(value);
  };

  /** A copy, so that the file's bytes can be let go. */
  raw(length: number): Uint8Array {
    const at = this.advance(length);
    return this.bytes.slice(at, at + length);
  }

  text(length: number): string {
    const at = this.advance(length);
    try {
      return utf8.decode(this.bytes.subarray(at, at + length));
    } catch {
      fail(`the text at byte ${at} is not UTF-8.`);
    }
  }

  /** A `str` of Python 2: UTF-8 where it is that, else each byte a character. */
  byteText(length: number): string {
    const at = this.advance(length);
    const bytes = this.bytes.subarray(at, at + length);
    try {
      return utf8.decode(bytes);
    } catch {
      return new TextDecoder('latin1').decode(bytes);
    }
  }

  /** A name up to the end of the line. */
  line(): string {
    const rest = this.bytes.subarray(this.position, this.position + MAX_NAME_BYTES + 1);
    const length = rest.indexOf(NEWLINE);
    if (length < 0) fail(`the name at byte ${this.position} has no end.`);
    const name = this.text(length);
    this.position++;
    return name;
  }

  /** Two's complement of any length, little-endian. */
  int(length: number): number | bigint {
    if (length > MAX_INT_BYTES) fail(`an int of ${length} bytes; ${MAX_INT_BYTES} are allowed.`);
    const at = this.advance(length);
    let value = 0n;
    for (let index = length - 1; index >= 0; index--) value = (value << 8n) | BigInt(this.bytes[at + index] as number);
    const signed = BigInt.asIntN(Math.max(1, length * 8), value);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  }
}
