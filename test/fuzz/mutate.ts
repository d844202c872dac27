import type { Random } from '../../src/models/random.js';

const below = (random: Random, limit: number): number => Math.floor(random.uniform() * limit);

/** Numbers at which sizes, counts and offsets go wrong. */
const INTERESTING = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_fff0n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ffffn,
];

const TEXT_NUMBERS = ['-1', '0', '1e999', '4294967296', '9007199254740993', '0.5', 'null', '[]', '{}', '"x"', 'true'];

function splice(bytes: Uint8Array, from: number, to: number, middle: Uint8Array): Uint8Array {
  const result = new Uint8Array(from + middle.length + bytes.length - to);
  result.set(bytes.subarray(0, from));
  result.set(middle, from);
  result.set(bytes.subarray(to), from + middle.length);
  return result;
}

/** A range of at most `most` bytes. */
function range(random: Random, bytes: Uint8Array, most: number): [number, number] {
  const from = below(random, bytes.length + 1);
  return [from, Math.min(bytes.length, from + below(random, most + 1))];
}

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

function overwritten(bytes: Uint8Array, at: number, values: ArrayLike<number>): Uint8Array {
  const copy = bytes.slice();
  for (let i = 0; i < values.length && at + i < copy.length; i++) copy[at + i] = values[i] as number;
  return copy;
}

function integerBytes(value: bigint, width: number, littleEndian: boolean): number[] {
  const list = Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
  return littleEndian ? list : list.reverse();
}

/** Protobuf's and others' varint. */
function varint(value: bigint): number[] {
  const list: number[] = [];
  let rest = value;
  do {
    list.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return list;
}

/** Where `pattern` matches in bytes read as Latin-1; a random one of the first thousand. */
function matchIn(bytes: Uint8Array, pattern: RegExp, random: Random): [number, number] | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1 << 20)).toString('latin1');
  const found: [number, number][] = [];
  for (const match of text.matchAll(pattern)) {
    found.push([match.index, match.index + match[0].length]);
    if (found.length === 1000) break;
  }
  return found[below(random, found.length)] ?? null;
}

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => bytes.slice(0, below(random, bytes.length + 1)),
  (bytes, random) => {
    const at = below(random, bytes.length);
    return overwritten(bytes, at, [(bytes[at] ?? 0) ^ (1 << below(random, 8))]);
  },
  (bytes, random) => overwritten(bytes, below(random, bytes.length), [below(random, 256)]),
  (bytes, random) => {
    const value = INTERESTING[below(random, INTERESTING.length)] as bigint;
    const width = [1, 2, 4, 8][below(random, 4)] as number;
    // Sizes stand mostly at the front of a file or at its end.
    const near = [bytes.length, Math.min(512, bytes.length)][below(random, 2)] as number;
    const at = random.uniform() < 0.2 ? Math.max(0, bytes.length - 1 - below(random, near)) : below(random, near);
    return overwritten(bytes, at, integerBytes(value, width, random.uniform() < 0.8));
  },
  (bytes, random) => {
    const at = below(random, bytes.length);
    return splice(bytes, at, at + 1, Uint8Array.from(varint(INTERESTING[below(random, INTERESTING.length)] as bigint)));
  },
  (bytes, random) => splice(bytes, ...range(random, bytes, 64), new Uint8Array()),
  (bytes, random) => {
    const [from, to] = range(random, bytes, 256);
    return splice(bytes, to, to, bytes.slice(from, to));
  },
  (bytes, random) => {
    const [from, to] = range(random, bytes, 4096);
    return splice(bytes, to, to, bytes.slice(from, to));
  },
  (bytes, random, other) => {
    const [from, to] = range(random, other, 1024);
    return splice(bytes, ...range(random, bytes, 1024), other.slice(from, to));
  },
  (bytes, random) => {
    const found = matchIn(bytes, /-?\d+(\.\d+)?/g, random);
    const text = TEXT_NUMBERS[below(random, TEXT_NUMBERS.length)] as string;
    return found ? splice(bytes, ...found, Buffer.from(text)) : bytes;
  },
  (bytes, random) => {
    const [target, source] = [matchIn(bytes, /"[^"]{0,80}"/g, random), matchIn(bytes, /"[^"]{0,80}"/g, random)];
    return target && source ? splice(bytes, ...target, bytes.slice(...source)) : bytes;
  },
  (bytes, random) => {
    const found = matchIn(bytes, /[[{(]/g, random);
    if (!found) return bytes;
    const depth = 10 ** (1 + below(random, 5));
    return splice(bytes, ...found, new Uint8Array(depth).fill(bytes[found[0]] as number));
  },
];

/** One to six random changes to a file; `other` is a file of the same format to take pieces from. */
export function mutate(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  let result = bytes;
  const count = 1 + below(random, random.uniform() < 0.7 ? 2 : 6);
  for (let i = 0; i < count && result.length > 0; i++) {
    result = (MUTATIONS[below(random, MUTATIONS.length)] as Mutation)(result, random, other);
  }
  return result;
}
