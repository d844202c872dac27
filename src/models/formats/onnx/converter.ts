import type { ImportBuilder } from '../importBuilder.js';
import type { LayerValue, Operation, Value } from './node.js';

/** Makes layers of one operator; null where it cannot, after telling `op.problem`. */
export type Converter = (op: Operation, builder: ImportBuilder) => Value;

export const value = (layer: string): LayerValue => ({ kind: 'layer', layer });
/** Name and first input of the layer that an operation becomes. */
export const base = (op: Operation) => ({ name: op.name, inputs: [op.layer()] });
export const product = (shape: readonly number[]): number => shape.reduce((result, size) => result * size, 1);
export const show = (list: readonly (number | null)[] | null): string => `[${list?.join(', ') ?? ''}]`;

/** Axes counted from the front, with the batch, in order. */
export const positive = (axes: readonly number[], rank: number): number[] =>
  axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
