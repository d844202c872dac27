import { randomIndices } from '../random.js';

/** Some elements of an array as the reference has them. */
export interface Samples {
  readonly indices: readonly number[];
  readonly values: readonly number[];
  /** Largest error of a right result; default `TOLERANCE`. */
  readonly tolerance?: number;
}

/** What a workload computes, by name, in logical row-major order. */
export type Results = Readonly<Record<string, ArrayLike<number>>>;
export type ReferenceResults = Readonly<Record<string, Samples>>;

const SAMPLES = 256;

/** Evaluates an array's elements at random places, and at both ends, where kernels have their tails. */
export function sample(length: number, seed: number, stream: string, valueAt: (index: number) => number): Samples {
  const places = new Set([0, length - 1, ...randomIndices(Math.min(SAMPLES, length), length, seed, stream)]);
  const indices = [...places];
  return { indices, values: indices.map(valueAt) };
}

/** All elements. */
export const everything = (values: ArrayLike<number>): Samples => ({
  indices: Array.from({ length: values.length }, (_, index) => index),
  values: Array.from(values),
});

/** float32 sums of random terms lie this close to the exact ones; what is further off is wrong. */
const TOLERANCE = 1e-3;

export interface Comparison {
  /** The largest distance from the reference, relative to the largest reference value of the same array. */
  readonly maxError: number;
  readonly isRight: boolean;
}

/** The error is infinite where a result is missing or not a number. */
export function compare(results: Results, reference: ReferenceResults): Comparison {
  let [largest, isRight] = [0, true];
  for (const [name, { indices, values, tolerance = TOLERANCE }] of Object.entries(reference)) {
    const scale = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0) || 1;
    const error = indices.reduce((max, index, i) => {
      const distance = Math.abs((results[name]?.[index] ?? Number.NaN) - (values[i] as number)) / scale;
      return Number.isNaN(distance) ? Infinity : Math.max(max, distance);
    }, 0);
    largest = Math.max(largest, error);
    if (error > tolerance) isRight = false;
  }
  return { maxError: largest, isRight };
}
