/** The longest code of DEFLATE. */
const MAX_BITS = 15;

/**
 * A canonical Huffman code as a table of 2^bits entries, indexed by the next bits of the stream: the symbol in the upper
 * bits, the length of its code in the lower four. Entries that no code reaches are 0.
 */
export interface HuffmanTable {
  readonly entries: Uint16Array;
  readonly bits: number;
}

function reversed(code: number, length: number): number {
  let result = 0;
  for (let bit = 0; bit < length; bit++) result |= ((code >> bit) & 1) << (length - 1 - bit);
  return result;
}

/**
 * The table for code lengths by symbol (RFC 1951, 3.2.2); null where they form no code: more codes than bits allow, or
 * fewer, except for a single code of one bit, and no code at all, which the format has for blocks without matches.
 */
export function huffmanTable(lengths: Uint8Array): HuffmanTable | null {
  const counts = new Uint16Array(MAX_BITS + 1);
  for (const length of lengths) counts[length] = (counts[length] as number) + 1;
  counts[0] = 0;
  let bits = MAX_BITS;
  while (bits > 1 && counts[bits] === 0) bits--;
  const next = new Uint16Array(MAX_BITS + 1);
  let code = 0;
  let free = 1;
  for (let length = 1; length <= bits; length++) {
    code = (code + (counts[length - 1] as number)) << 1;
    next[length] = code;
    free = free * 2 - (counts[length] as number);
    if (free < 0) return null;
  }
  if (free > 0 && bits > 1) return null;
  const entries = new Uint16Array(1 << bits);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol] as number;
    if (length === 0) continue;
    const first = reversed(next[length] as number, length);
    next[length] = (next[length] as number) + 1;
    for (let index = first; index < entries.length; index += 1 << length) entries[index] = (symbol << 4) | length;
  }
  return { entries, bits };
}
