import { elementCount } from '../../../kernels/tensor.js';
import type { ValueType } from '../../layers/input.js';
import type { BinaryLayer, UnaryLayer } from '../../layers/elementwise.js';
import type { Operation } from './node.js';
import { isInteger } from './types.js';
import type { Value } from './value.js';

/** Makes layers of one operator: a value for each output; null where it cannot, after telling `op.problem`. */
export type Converter = (op: Operation) => Value | readonly Value[];
export type Converters = Readonly<Record<string, Converter>>;

export const show = (list: readonly (number | null)[] | null): string => `[${list?.join(', ') ?? ''}]`;

/** An axis counted from the front. Throws INVALID_FILE outside of the rank. */
export function frontAxis(op: Operation, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  return resolved >= 0 && resolved < rank && Number.isInteger(resolved)
    ? resolved
    : op.fail(`axis ${axis} of a value with ${rank} dimensions.`);
}

/** Axes counted from the front, each once, in order. */
export const frontAxes = (op: Operation, axes: readonly number[], rank: number): number[] =>
  [...new Set(axes.map((axis) => frontAxis(op, axis, rank)))].sort((a, b) => a - b);

export const binary = (op: Operation, part: string, operator: BinaryLayer['operator'], a: string, b: string): string =>
  op.step(part, { kind: 'binary', operator, inputs: [a, b] });

export const unary = (op: Operation, part: string, operator: UnaryLayer['operator'], x: string): string =>
  op.step(part, { kind: 'unary', operator, inputs: [x] });

/**
 * The same values under another shape, which counts the batch as 1 where it is open. Keeps the batch in front where each picture's
 * values stay together.
 */
export function reshaped(op: Operation, part: string, x: string, shape: readonly number[]): string {
  const from = op.shape(x);
  if (from.join() === shape.join()) return x;
  const keepsBatch = op.builder.isBatched(x) && shape[0] === 1 && elementCount(shape) === elementCount(from);
  return op.step(part, { kind: 'reshape', inputs: [x], shape: keepsBatch ? [0, ...shape.slice(1)] : [...shape] });
}

export const transposed = (op: Operation, part: string, x: string, permutation: readonly number[]): string =>
  permutation.every((from, axis) => from === axis) ? x : op.step(part, { kind: 'transpose', inputs: [x], permutation });

/** What integer arithmetic makes of a result: small types wrap around, of wide ones float32 holds those up to 2^24. */
export const asType = (op: Operation, x: string, type: ValueType): string =>
  isInteger(type) ? op.step('integer', { kind: 'roundTo', inputs: [x], type, saturate: false, powers: 'up' }) : x;
