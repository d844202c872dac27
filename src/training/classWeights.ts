import { TrainingError } from './errors.js';
import type { TrainingOptions } from './types.js';

type Weighting = Pick<TrainingOptions, 'balanceClasses' | 'classWeights'>;

/** Throws `INVALID_OPTIONS` unless given weights are as many as there are classes. */
export function checkClassWeights({ classWeights }: Weighting, classes: number): void {
  if (classWeights !== null && classWeights.length !== classes) {
    throw new TrainingError(
      'INVALID_OPTIONS',
      `classWeights has ${classWeights.length} weights; the network has ${classes} classes. Give one for each, in their order.`,
    );
  }
}

/**
 * Factor of each class in the loss; null where all count alike. Balanced: pictures / (classes times the class's pictures) over the
 * classes that have any (scikit-learn's `balanced`), so that the mean over the pictures is 1; 1 for the others, which no
 * label names.
 */
export function weightsOfClasses(
  { balanceClasses, classWeights }: Weighting,
  labels: readonly number[],
  classes: number,
): Float32Array<ArrayBuffer> | null {
  if (classWeights !== null) return Float32Array.from(classWeights);
  if (!balanceClasses) return null;
  const counts = Array.from({ length: classes }, () => 0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  const present = counts.filter((count) => count > 0).length;
  return Float32Array.from(counts, (count) => (count === 0 ? 1 : labels.length / (present * count)));
}

/** What labels add to the denominator of the loss: their number, or the sum of their classes' weights. */
export function sumOfWeights(labels: Uint32Array, weights: Float32Array | null): number {
  if (!weights) return labels.length;
  let sum = 0;
  for (const label of labels) sum += weights[label] ?? 0;
  return sum;
}
