/**
 * Writes a pickle of protocol 2, opcode by opcode (Lib/pickletools.py describes them). It is as far as a PyTorch state dict goes:
 * names of classes, texts, non-negative ints, tuples and dicts.
 */
export class PickleWriter {
  private bytes = new Uint8Array(1024);
  private length = 0;
  private readonly memo = new Map<string, number>();

  constructor() {
    this.opcode(0x80, 2);
  }

  private reserve(count: number): number {
    const at = this.length;
    if (at + count > this.bytes.length) {
      const larger = new Uint8Array(2 * (at + count));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.length = at + count;
    return at;
  }

  private opcode(...bytes: readonly number[]): void {
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  private raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  private uint32(value: number): void {
    const at = this.reserve(4);
    new DataView(this.bytes.buffer).setUint32(at, value, true);
  }

  /** Pushes the value that `write` pushes, from the memo where the same key has been written before. */
  private once(key: string, write: () => void): void {
    const known = this.memo.get(key);
    if (known === undefined) {
      write();
      const index = this.memo.size;
      this.memo.set(key, index);
      if (index < 256) this.opcode(0x71, index);
      else {
        this.opcode(0x72);
        this.uint32(index);
      }
    } else if (known < 256) this.opcode(0x68, known);
    else {
      this.opcode(0x6a);
      this.uint32(known);
    }
  }

  /** Pushes the name of a class or function (GLOBAL). */
  global(module: string, name: string): void {
    this.once(`global ${module} ${name}`, () => {
      this.opcode(0x63);
      this.raw(new TextEncoder().encode(`${module}\n${name}\n`));
    });
  }

  /** Pushes a text that occurs again and again. */
  word(text: string): void {
    this.once(`text ${text}`, () => this.text(text));
  }

  /** Pushes a text (BINUNICODE). */
  text(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.opcode(0x58);
    this.uint32(encoded.length);
    this.raw(encoded);
  }

  /** Pushes an int from 0 to 2^53 - 1 in the shortest form (BININT1, BININT2, BININT, LONG1). */
  int(value: number): void {
    if (value < 2 ** 8) this.opcode(0x4b, value);
    else if (value < 2 ** 16) this.opcode(0x4d, value & 0xff, value >> 8);
    else if (value < 2 ** 31) {
      this.opcode(0x4a);
      this.uint32(value);
    } else {
      this.opcode(0x8a, 8);
      const at = this.reserve(8);
      new DataView(this.bytes.buffer).setBigUint64(at, BigInt(value), true);
    }
  }

  /** Pushes False. */
  false(): void {
    this.opcode(0x89);
  }

  /** Pushes a tuple of what `write` pushes. */
  tuple(write: () => void): void {
    this.opcode(0x28);
    write();
    this.opcode(0x74);
  }

  emptyTuple(): void {
    this.opcode(0x29);
  }

  emptyDict(): void {
    this.opcode(0x7d);
  }

  /** Puts the pairs that `write` pushes into the dict on top. */
  items(write: () => void): void {
    this.opcode(0x28);
    write();
    this.opcode(0x75);
  }

  /** Calls the name below the tuple on top (REDUCE). */
  reduce(): void {
    this.opcode(0x52);
  }

  /** Gives the object below it the state on top (BUILD). */
  build(): void {
    this.opcode(0x62);
  }

  /** Replaces the id on top by what it stands for (BINPERSID). */
  persistent(): void {
    this.opcode(0x51);
  }

  finish(): Uint8Array {
    this.opcode(0x2e);
    return this.bytes.slice(0, this.length);
  }
}
