import { notMapped } from '../tensorflow/value.js';
import type { Pair, Window } from '../tensorflow/weighted.js';
import { asList, fail, type JsonObject, show } from './json.js';

/** Reads the attributes of one Keras layer. Throws INVALID_FILE for what is damaged, NotMapped for what Graft has no layer for. */
export class Attributes {
  constructor(
    private readonly name: string,
    readonly config: JsonObject,
  ) {}

  /** Throws NotMapped unless `key` is missing, null or one of `allowed`. */
  require(key: string, ...allowed: readonly unknown[]): void {
    const value = this.config[key];
    if (value !== undefined && value !== null && !allowed.includes(value)) notMapped(`${key} = ${show(value)}`);
  }

  integer(key: string, otherwise?: number): number {
    const value = this.config[key] ?? otherwise;
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1
      ? value
      : fail(`${this.name}: ${key} must be a positive integer; got ${show(value)}.`);
  }

  number(key: string, otherwise: number): number {
    return this.optionalNumber(key) ?? otherwise;
  }

  optionalNumber(key: string): number | null {
    const value = this.config[key] ?? null;
    if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value;
    return fail(`${this.name}: ${key} must be a number; got ${show(value)}.`);
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.config[key] ?? otherwise;
    return typeof value === 'boolean' ? value : fail(`${this.name}: ${key} must be true or false.`);
  }

  text(key: string, otherwise: string): string {
    const value = this.config[key] ?? otherwise;
    return typeof value === 'string' ? value : fail(`${this.name}: ${key} must be a text; got ${show(value)}.`);
  }

  /** `[height, width]`, or one number for both; positive integers. */
  pair(key: string, otherwise: Pair): Pair {
    const value = this.config[key] ?? otherwise;
    const list = typeof value === 'number' ? [value, value] : asList(value, `${this.name}: ${key}`);
    const [height, width] = list;
    const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= 1;
    if (list.length !== 2 || !isSize(height) || !isSize(width)) {
      fail(`${this.name}: ${key} must be one or two positive integers; got ${show(value)}.`);
    }
    return [height as number, width as number];
  }

  /** Integers, or one integer as a list. */
  integers(key: string, otherwise: readonly number[]): readonly number[] {
    const value = this.config[key] ?? otherwise;
    const list: readonly unknown[] = typeof value === 'number' ? [value] : asList(value, `${this.name}: ${key}`);
    return list.map((item) =>
      Number.isSafeInteger(item)
        ? (item as number)
        : fail(`${this.name}: ${key} must be integers; got ${show(value)}.`),
    );
  }

  /** Numbers, however deeply they are in lists (as a Normalization's mean is). */
  numbers(key: string): Float32Array | null {
    const value = this.config[key] ?? null;
    if (value === null) return null;
    const list: unknown[] = typeof value === 'number' ? [value] : [...asList(value, `${this.name}: ${key}`)].flat(4);
    return Float32Array.from(list, (item) =>
      typeof item === 'number' ? item : fail(`${this.name}: ${key} must be numbers; got ${show(value)}.`),
    );
  }

  /** n, [h, w] or [[top, bottom], [left, right]], of ZeroPadding2D and Cropping2D. */
  margins(key: string): { before: Pair; after: Pair } {
    const value = this.config[key] ?? 1;
    const axes: readonly unknown[] = typeof value === 'number' ? [value, value] : asList(value, `${this.name}: ${key}`);
    const sides = axes.map((axis) =>
      typeof axis === 'number' ? [axis, axis] : asList(axis, `${this.name}: ${key}`),
    ) as unknown[][];
    const sizes = sides.flat();
    const isMargin = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0;
    if (sides.length !== 2 || sizes.length !== 4 || !sizes.every(isMargin)) {
      fail(`${this.name}: ${key} must be integers of at least 0; got ${show(value)}.`);
    }
    const [top, bottom, left, right] = sizes as [number, number, number, number];
    return { before: [top, left], after: [bottom, right] };
  }

  /** How a convolution or pooling moves over its map. */
  window(strides: Pair): Window {
    this.require('data_format', 'channels_last');
    this.require('padding', 'valid', 'same');
    return {
      strides: this.pair('strides', strides),
      dilation: this.pair('dilation_rate', [1, 1]),
      padding: this.config.padding === 'same' ? 'same' : 'valid',
    };
  }
}
