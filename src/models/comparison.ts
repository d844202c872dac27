/** Largest relative difference between two float32 computations of one network that is still rounding. */
export const TOLERANCE = 1e-4;
/** The same for pictures that somebody else decoded and resized: a level of 255 here and there. */
export const PICTURE_TOLERANCE = 0.02;

export interface Difference {
  readonly absolute: number;
  /** Over the largest magnitude expected in that row; infinite where a value is no number. */
  readonly relative: number;
  /** Row that has the largest relative difference. */
  readonly row: number;
}

/** Compares `rows` rows of equal length. The lengths must agree. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>, rows: number): Difference {
  const size = expected.length / rows;
  let largest: Difference = { absolute: 0, relative: 0, row: 0 };
  for (let row = 0; row < rows; row++) {
    let [absolute, scale] = [0, 0];
    for (let i = row * size; i < (row + 1) * size; i++) {
      const difference = Math.abs((actual[i] as number) - (expected[i] as number));
      absolute = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(absolute, difference);
      scale = Math.max(scale, Math.abs(expected[i] as number));
    }
    const relative = absolute === 0 ? 0 : absolute / Math.max(scale, Number.MIN_VALUE);
    if (relative > largest.relative) largest = { absolute, relative, row };
  }
  return largest;
}

/** Softmax of each row. */
export function softmaxRows(values: ArrayLike<number>, rows: number): Float64Array {
  const size = values.length / rows;
  const result = new Float64Array(values.length);
  for (let start = 0; start < values.length; start += size) {
    let [largest, sum] = [Number.NEGATIVE_INFINITY, 0];
    for (let i = start; i < start + size; i++) largest = Math.max(largest, values[i] as number);
    for (let i = start; i < start + size; i++) sum += Math.exp((values[i] as number) - largest);
    for (let i = start; i < start + size; i++) result[i] = Math.exp((values[i] as number) - largest) / sum;
  }
  return result;
}

/** Whether rows look like probabilities: not negative, with a sum of 1. */
export function areProbabilities(values: ArrayLike<number>, rows: number): boolean {
  const size = values.length / rows;
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let i = row * size; i < (row + 1) * size; i++) {
      if (!((values[i] as number) >= -1e-6)) return false;
      sum += values[i] as number;
    }
    if (Math.abs(sum - 1) > 1e-3) return false;
  }
  return size > 1;
}
