import { ModelError } from '../errors.js';

/**
 * The npm package nsfwjs ships its models as JavaScript modules (browserify bundles): one holds the model.json as an object
 * literal, the others a weight shard each as a base64 string. Here they are read as text; nothing is executed.
 */

/** Where the bundle's only module begins, e.g. `{1:[function(e,a,n){a.exports=`. */
const MODULE_START = /\{1:\[function\(\w+,(\w+),\w+\)\{\1\.exports=/;
const MAX_DEPTH = 100;

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `nsfwjs bundle: ${message}`);
}

function moduleStart(source: string): number {
  const match = MODULE_START.exec(source.slice(0, 10_000));
  if (!match) fail('no exported value was found where the package has it; a newer version may wrap it differently.');
  return match.index + match[0].length;
}

/** The model.json of a `model.min.js`. Throws INVALID_FILE. */
export function readModelBundle(source: string): unknown {
  return new LiteralParser(source, moduleStart(source)).value(0);
}

/** The bytes of a `group1-shard*.min.js`. Throws INVALID_FILE. */
export function readShardBundle(source: string): Uint8Array {
  const start = moduleStart(source);
  const end = source.indexOf('"', start + 1);
  if (source[start] !== '"' || end < 0) fail('the exported value is not a string.');
  return decodeBase64(source, start + 1, end);
}

const DIGITS = new Map(
  Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', (digit, index) => [
    digit.charCodeAt(0),
    index,
  ]),
);

/** Base64 of RFC 4648, section 4. */
function decodeBase64(source: string, start: number, end: number): Uint8Array {
  let last = end;
  while (last > start && source[last - 1] === '=') last--;
  const bytes = new Uint8Array(Math.floor(((last - start) * 6) / 8));
  let buffer = 0;
  let bits = 0;
  let length = 0;
  for (let index = start; index < last; index++) {
    const digit = DIGITS.get(source.charCodeAt(index));
    if (digit === undefined) fail(`character ${index} is not base64.`);
    buffer = ((buffer << 6) | digit) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = (buffer >> bits) & 0xff;
    }
  }
  return bytes;
}

const NUMBER = /[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y;
const IDENTIFIER = /[A-Za-z_$][\w$]*/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;

/** The part of JavaScript's literals that a minifier makes of JSON: bare keys, `!0` for true, `.5`, `1e-7`. */
class LiteralParser {
  constructor(
    private readonly source: string,
    private position: number,
  ) {}

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) fail(`values are nested deeper than ${MAX_DEPTH}.`);
    switch (this.source[this.position]) {
      case '{':
        return this.object(depth);
      case '[':
        return this.array(depth);
      case '"':
        return this.string();
      case '!':
        return this.boolean();
      case 'n':
        if (this.token(IDENTIFIER) === 'null') return null;
        return this.unexpected();
      default: {
        const number = this.token(NUMBER);
        return number === null ? this.unexpected() : Number(number);
      }
    }
  }

  private object(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    this.expect('{');
    while (!this.accept('}')) {
      if (entries.length > 0) this.expect(',');
      const key = this.source[this.position] === '"' ? this.string() : (this.token(IDENTIFIER) ?? this.token(NUMBER));
      if (key === null) this.unexpected();
      this.expect(':');
      entries.push([key, this.value(depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  private array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.expect('[');
    while (!this.accept(']')) {
      if (items.length > 0) this.expect(',');
      items.push(this.value(depth + 1));
    }
    return items;
  }

  private string(): string {
    const literal = this.token(STRING);
    try {
      return JSON.parse(literal ?? '') as string;
    } catch {
      return this.unexpected();
    }
  }

  private boolean(): boolean {
    this.expect('!');
    if (this.accept('0')) return true;
    if (this.accept('1')) return false;
    return this.unexpected();
  }

  private token(pattern: RegExp): string | null {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.source);
    if (!match) return null;
    this.position += match[0].length;
    return match[0];
  }

  private accept(character: string): boolean {
    if (this.source[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private expect(character: string): void {
    if (!this.accept(character)) this.unexpected();
  }

  private unexpected(): never {
    const found = this.source.slice(this.position, this.position + 20);
    return fail(`at character ${this.position} a literal was expected; found ${JSON.stringify(found)}.`);
  }
}
