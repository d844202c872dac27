import { ModelError } from '../../errors.js';
import { type HuffmanTable, huffmanTable } from './huffman.js';

/** Lengths and distances of matches: first value and number of extra bits by code (RFC 1951, 3.2.5). */
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12_289, 16_385, 24_577,
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
/** The order in which a block lists the lengths of the code for its codes (3.2.7). */
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const END_OF_BLOCK = 256;

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `zip: compressed data is damaged: ${message}.`);
}

function fixedTables(): [HuffmanTable, HuffmanTable] {
  const lengths = new Uint8Array(288).fill(8);
  lengths.fill(9, 144, 256);
  lengths.fill(7, 256, 280);
  return [huffmanTable(lengths) as HuffmanTable, huffmanTable(new Uint8Array(32).fill(5)) as HuffmanTable];
}
let fixed: [HuffmanTable, HuffmanTable] | null = null;

class Inflater {
  private position = 0;
  /** The bits that were taken from the input and not yet used, the next one lowest. */
  private hold = 0;
  private held = 0;
  private written = 0;

  constructor(
    private readonly input: Uint8Array,
    private readonly output: Uint8Array,
  ) {}

  run(): void {
    for (let last = 0; last === 0; ) {
      last = this.take(1);
      const kind = this.take(2);
      if (kind === 0) this.stored();
      else if (kind === 1) this.compressed(...(fixed ??= fixedTables()));
      else if (kind === 2) this.compressed(...this.dynamicTables());
      else fail('a block has type 3, which does not exist');
    }
    if (this.written !== this.output.length) {
      fail(`it unpacks to ${this.written} bytes; the archive says ${this.output.length}`);
    }
    const unread = this.input.length - this.position + (this.held >> 3);
    if (unread > 0) fail(`${unread} bytes follow its end`);
  }

  /** The next `count` bits, at most 16. */
  private take(count: number): number {
    while (this.held < count) {
      if (this.position >= this.input.length) fail('it ends early');
      this.hold |= (this.input[this.position++] as number) << this.held;
      this.held += 8;
    }
    const value = this.hold & ((1 << count) - 1);
    this.hold >>>= count;
    this.held -= count;
    return value;
  }

  /** The next symbol. At the end of the input, missing bits count as zero as long as no code needs them. */
  private symbol({ entries, bits }: HuffmanTable): number {
    while (this.held < bits && this.position < this.input.length) {
      this.hold |= (this.input[this.position++] as number) << this.held;
      this.held += 8;
    }
    const entry = entries[this.hold & ((1 << bits) - 1)] as number;
    const length = entry & 15;
    if (length === 0) fail('it has a code that its block does not define');
    if (length > this.held) fail('it ends early');
    this.hold >>>= length;
    this.held -= length;
    return entry >> 4;
  }

  private stored(): void {
    this.position -= this.held >> 3;
    this.hold = 0;
    this.held = 0;
    const length = this.take(16);
    if ((this.take(16) ^ 0xffff) !== length) fail('the length of a stored block is wrong');
    if (this.position + length > this.input.length) fail('it ends early');
    if (this.written + length > this.output.length) this.tooLong();
    this.output.set(this.input.subarray(this.position, this.position + length), this.written);
    this.position += length;
    this.written += length;
  }

  private dynamicTables(): [HuffmanTable, HuffmanTable] {
    const literals = this.take(5) + 257;
    const distances = this.take(5) + 1;
    const codes = this.take(4) + 4;
    if (literals > 286 || distances > 30) fail('a block defines more codes than there are');
    const codeLengths = new Uint8Array(19);
    for (let index = 0; index < codes; index++) codeLengths[CODE_ORDER[index] as number] = this.take(3);
    const codeTable = huffmanTable(codeLengths) ?? fail('the code of a block is not possible');
    const lengths = new Uint8Array(literals + distances);
    for (let index = 0; index < lengths.length; ) {
      const symbol = this.symbol(codeTable);
      if (symbol < 16) {
        lengths[index++] = symbol;
        continue;
      }
      if (symbol === 16 && index === 0) fail('a block repeats a length before there is one');
      const value = symbol === 16 ? (lengths[index - 1] as number) : 0;
      const count = symbol === 16 ? 3 + this.take(2) : symbol === 17 ? 3 + this.take(3) : 11 + this.take(7);
      if (index + count > lengths.length) fail('a block defines more codes than it says');
      lengths.fill(value, index, index + count);
      index += count;
    }
    if (lengths[END_OF_BLOCK] === 0) fail('a block has no end');
    return [
      huffmanTable(lengths.subarray(0, literals)) ?? fail('the code of a block is not possible'),
      huffmanTable(lengths.subarray(literals)) ?? fail('the code of a block is not possible'),
    ];
  }

  private compressed(literals: HuffmanTable, distances: HuffmanTable): void {
    const { output } = this;
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol < END_OF_BLOCK) {
        if (this.written >= output.length) this.tooLong();
        output[this.written++] = symbol;
        continue;
      }
      if (symbol === END_OF_BLOCK) return;
      const lengthBase = LENGTH_BASE[symbol - 257] ?? fail('it has a match of no length');
      const length = lengthBase + this.take(LENGTH_EXTRA[symbol - 257] as number);
      const code = this.symbol(distances);
      const distanceBase = DISTANCE_BASE[code] ?? fail('it has a match of no distance');
      const distance = distanceBase + this.take(DISTANCE_EXTRA[code] as number);
      if (distance > this.written) fail('a match begins before the data');
      if (this.written + length > output.length) this.tooLong();
      const end = this.written + length;
      let from = this.written - distance;
      for (let to = this.written; to < end; ) output[to++] = output[from++] as number;
      this.written = end;
    }
  }

  private tooLong(): never {
    fail(`it unpacks to more than the ${this.output.length} bytes that the archive says`);
  }
}

/** Unpacks DEFLATE data (RFC 1951) of which the unpacked size is known. Throws INVALID_FILE where it is not as it should be. */
export function inflate(input: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const output = new Uint8Array(size);
  new Inflater(input, output).run();
  return output;
}
