import type { Engine } from '../src/kernels/engine.js';
import type { ReferenceResults, Results } from './reference/samples.js';
import type { WorkloadSpec } from './specs.js';

/** A workload that is ready to be timed. */
export interface Prepared {
  readonly dispatches: number;
  /**
   * Submits the work once. Work that ends on the device returns nothing, and many submissions may be in flight; work that ends
   * with a result in this process returns its promise.
   */
  run(): Promise<unknown> | void;
  /** What the timed work computes. */
  results(): Promise<Results>;
  dispose(): void;
}

/** One line of the benchmark's table. */
export interface Workload<Spec extends WorkloadSpec = WorkloadSpec> {
  readonly name: string;
  /** What is computed, as plain data: another engine gets it, the name and the seed, and makes the same. */
  readonly spec: Spec;
  /** Additions and multiplications. */
  readonly flops: number;
  /** Bytes that have to be read or written at least, each operand once. */
  readonly traffic: number;
  /** That one run goes through. */
  readonly pictures?: number;
  prepare(engine: Engine, seed: number): Promise<Prepared>;
  /** The right results in float64; null where there is nothing to compare. */
  reference(seed: number): ReferenceResults | null;
}
