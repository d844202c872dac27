import type { Weights } from '../../src/models/network.js';

/** A float64 array [N, C, H, W] or [N, F], row-major, with the gradient of the loss as far as it is known. */
export interface Value {
  readonly shape: readonly number[];
  readonly data: Float64Array;
  readonly gradient: Float64Array;
}

export const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** What the layers of a reference pass have in common: weights, their gradients, and what remains to be done backwards. */
export class Tape {
  readonly gradients = new Map<string, Float64Array>();
  private readonly steps: (() => void)[] = [];

  /** `trains`: batch norms use the batch's statistics, and gradients are kept. */
  constructor(
    private readonly weights: Weights,
    readonly trains: boolean,
  ) {}

  value(shape: readonly number[], data = new Float64Array(elements(shape))): Value {
    return { shape, data, gradient: new Float64Array(this.trains ? data.length : 0) };
  }

  weight(name: string): Float32Array {
    const weight = this.weights.get(name);
    if (!weight) throw new Error(`There is no weight ${name}.`);
    return weight.data;
  }

  /** The gradient of a weight, to be added to. */
  gradient(name: string): Float64Array {
    const gradient = this.gradients.get(name) ?? new Float64Array(this.weight(name).length);
    this.gradients.set(name, gradient);
    return gradient;
  }

  /** Calls `step` when the pass goes backwards, after those that were given later. */
  onBackward(step: () => void): void {
    if (this.trains) this.steps.push(step);
  }

  backward(): void {
    for (const step of this.steps.reverse()) step();
  }
}
