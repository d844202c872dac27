import { asList, fail, type JsonObject, show } from './json.js';
import type { KerasLayer } from './topology.js';

/** Reads the attributes of one Keras layer; what Graft has no layer for is told to `problem`. */
export class Attributes {
  constructor(
    private readonly layer: KerasLayer,
    private readonly problem: (attribute: string | null) => void,
  ) {}

  private get config(): JsonObject {
    return this.layer.config;
  }

  /** Reports `key` unless it is missing, null or one of `allowed`. */
  require(key: string, ...allowed: readonly unknown[]): void {
    const value = this.config[key];
    if (value !== undefined && value !== null && !allowed.includes(value)) this.problem(`${key} = ${show(value)}`);
  }

  integer(key: string): number {
    const value = this.config[key];
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1
      ? value
      : fail(`${this.layer.name}: ${key} must be a positive integer; got ${show(value)}.`);
  }

  number(key: string, otherwise: number): number {
    const value = this.config[key] ?? otherwise;
    return typeof value === 'number' ? value : fail(`${this.layer.name}: ${key} must be a number; got ${show(value)}.`);
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.config[key] ?? otherwise;
    return typeof value === 'boolean' ? value : fail(`${this.layer.name}: ${key} must be true or false.`);
  }

  /** `[height, width]`, or one number for both. */
  pair(key: string, otherwise: readonly [number, number]): [number, number] {
    const value = this.config[key] ?? otherwise;
    const list = typeof value === 'number' ? [value, value] : asList(value, `${this.layer.name}: ${key}`);
    const [height, width] = list;
    if (list.length !== 2 || typeof height !== 'number' || typeof width !== 'number') {
      fail(`${this.layer.name}: ${key} must be one or two numbers; got ${show(value)}.`);
    }
    return [height, width];
  }

  /** ZeroPadding2D: n, [h, w] or [[top, bottom], [left, right]]. */
  zeroPadding(): { top: number; bottom: number; left: number; right: number } {
    const value = this.config.padding ?? 1;
    const axes = typeof value === 'number' ? [value, value] : asList(value, `${this.layer.name}: padding`);
    const [[top, bottom], [left, right]] = [axes[0], axes[1]].map((axis) =>
      typeof axis === 'number' ? [axis, axis] : asList(axis, `${this.layer.name}: padding`),
    ) as [unknown[], unknown[]];
    const sizes = [top, bottom, left, right].map((size) =>
      typeof size === 'number' ? size : fail(`${this.layer.name}: padding must be numbers; got ${show(value)}.`),
    );
    return { top: sizes[0] as number, bottom: sizes[1] as number, left: sizes[2] as number, right: sizes[3] as number };
  }

  /** The activation inside a layer; null for linear. */
  activation(): 'relu' | 'relu6' | 'softmax' | null {
    const value = this.config.activation ?? 'linear';
    if (value === 'linear') return null;
    if (value === 'relu' || value === 'relu6' || value === 'softmax') return value;
    this.problem(`activation = ${show(value)}`);
    return null;
  }

  /** Checks what every layer on feature maps has. */
  map(): void {
    this.require('data_format', 'channels_last');
    this.require('padding', 'valid', 'same');
  }

  /** Whether axis `value` is the last of `rank` (rank counts the batch). */
  isLastAxis(key: string, rank: number): boolean {
    const value = this.config[key] ?? -1;
    const axis: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
    return axis === -1 || axis === rank - 1;
  }
}
