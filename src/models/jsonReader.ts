import { ModelError } from './errors.js';

/** Reads one value of unknown origin, checking its type; `path` says where in the network an error is. */
export class JsonReader {
  constructor(
    readonly value: unknown,
    readonly path: string,
    /** What stands between the path and the name of a field. */
    private readonly separator = '.',
  ) {}

  /** Throws INVALID_NETWORK: what was expected here, and what is there. */
  fail(expected: string): never {
    const got = JSON.stringify(this.value) ?? 'nothing';
    throw new ModelError('INVALID_NETWORK', `${this.path} must be ${expected}; got ${got.slice(0, 80)}.`);
  }

  get(key: string): JsonReader {
    if (this.value === null || typeof this.value !== 'object' || Array.isArray(this.value)) this.fail('an object');
    const own = Object.hasOwn(this.value as object, key) ? (this.value as Record<string, unknown>)[key] : undefined;
    return new JsonReader(own, `${this.path}${this.separator}${key}`);
  }

  list(): JsonReader[] {
    if (!Array.isArray(this.value)) this.fail('a list');
    return this.value.map((item, index) => new JsonReader(item, `${this.path}[${index}]`));
  }

  string(): string {
    return typeof this.value === 'string' ? this.value : this.fail('a string');
  }

  number(): number {
    return typeof this.value === 'number' ? this.value : this.fail('a number');
  }

  boolean(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.fail('true or false');
  }

  nullable<T>(read: (reader: JsonReader) => T): T | null {
    return this.value === null ? null : read(this);
  }

  oneOf<T extends string>(...allowed: readonly T[]): T {
    const found = allowed.find((item) => item === this.value);
    return found ?? this.fail(`one of ${allowed.join(', ')}`);
  }

  triple(): [number, number, number] {
    const [a, b, c, ...rest] = this.list();
    if (!a || !b || !c || rest.length > 0) return this.fail('a list of 3 numbers');
    return [a.number(), b.number(), c.number()];
  }
}
