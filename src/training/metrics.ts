import type { ClassMetrics, EvaluationResult, Prediction } from './types.js';

/** The `k` most probable classes of one picture, best first; of equals, the lower index. */
export function topPredictions(probabilities: Float32Array, labels: readonly string[], k: number): Prediction[] {
  return Array.from(probabilities, (probability, index) => ({ probability, index }))
    .sort((a, b) => b.probability - a.probability || a.index - b.index)
    .slice(0, k)
    .map(({ probability, index }) => ({ label: labels[index] ?? String(index), index, probability }));
}

/** Collects predictions picture by picture and computes the measures of an evaluation. */
export class EvaluationTally {
  private readonly confusion: number[][];
  private readonly ranks: number[] = [];
  private lossSum = 0;

  constructor(private readonly labels: readonly string[]) {
    this.confusion = labels.map(() => labels.map(() => 0));
  }

  /** One picture: its probabilities [classes] and its true class. */
  add(probabilities: Float32Array, label: number): void {
    const own = probabilities[label] as number;
    let rank = 0;
    let predicted = 0;
    for (let index = 0; index < probabilities.length; index++) {
      const value = probabilities[index] as number;
      if (value > own || (value === own && index < label)) rank++;
      if (value > (probabilities[predicted] as number)) predicted = index;
    }
    this.ranks.push(rank);
    (this.confusion[label] as number[])[predicted] = (this.confusion[label]?.[predicted] ?? 0) + 1;
    // The smallest positive normal float keeps the loss of an underflowed probability finite.
    this.lossSum -= Math.log(Math.max(own, 2 ** -126));
  }

  /** Top-k for k = 1, 3 and 5 as far as there are more classes than k. */
  result(): EvaluationResult {
    const pictures = this.ranks.length;
    const within = (k: number) => this.ranks.filter((rank) => rank < k).length / pictures;
    return {
      pictures,
      loss: this.lossSum / pictures,
      accuracy: within(1),
      topK: [1, 3, 5].filter((k) => k === 1 || k < this.labels.length).map((k) => ({ k, accuracy: within(k) })),
      classes: this.labels.map((label, index) => this.classMetrics(label, index)),
      confusion: this.confusion,
    };
  }

  private classMetrics(label: string, index: number): ClassMetrics {
    const row = this.confusion[index] as number[];
    const right = row[index] as number;
    const support = row.reduce((sum, count) => sum + count, 0);
    const predicted = this.confusion.reduce((sum, counts) => sum + (counts[index] as number), 0);
    const precision = predicted > 0 ? right / predicted : null;
    const recall = support > 0 ? right / support : null;
    const f1 = support + predicted > 0 ? (2 * right) / (support + predicted) : null;
    return { label, support, precision, recall, f1 };
  }
}
