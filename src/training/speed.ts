import type { Engine } from '../kernels/engine.js';
import type { Network, Weights } from '../models/network.js';
import { InferencePlan } from './inference.js';

export interface Speed {
  /** Median time for one picture by itself, from the bytes to the probabilities. */
  readonly millisecondsPerPicture: number;
  /** Pictures per second in batches, the next one submitted before the last one is read. */
  readonly picturesPerSecond: number;
  readonly batchSize: number;
}

export interface SpeedOptions {
  readonly batchSize: number;
  /** For each of the two measurements, unless fewer than `MIN_RUNS` runs were done by then. */
  readonly seconds: number;
  readonly signal: AbortSignal;
}

const MIN_RUNS = 3;
const MAX_RUNS = 10_000;
/** A run that takes longer is not repeated: nothing is gained by another. */
const LONG_MS = 20_000;

/** The same picture on every machine: bytes of a linear congruential generator (Numerical Recipes, 7.1). */
function somePictures(network: Network, count: number): Uint8Array {
  const { height, width } = network.preprocessing;
  let state = 1;
  return Uint8Array.from({ length: count * height * width * 3 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

/** Runs until enough time has passed; returns the times of all runs in milliseconds. */
async function repeat({ seconds, signal }: SpeedOptions, run: () => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  const begun = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const start = performance.now();
    await run();
    const now = performance.now();
    times.push(now - start);
    const isEnough = now - begun >= seconds * 1000 && times.length >= MIN_RUNS;
    if (isEnough || times.length >= MAX_RUNS || now - begun >= LONG_MS) return times;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

/**
 * How fast a network predicts on this device, by the clock on the wall: what a person waits for, decoding of pictures aside. Kernels
 * that were never measured here are, first, where the engine has a tuner.
 */
export async function measureSpeed(
  engine: Engine,
  network: Network,
  weights: Weights,
  options: SpeedOptions,
): Promise<Speed> {
  const { batchSize } = options;
  const withPlan = async <T>(size: number, measure: (plan: InferencePlan, pictures: Uint8Array) => Promise<T>) => {
    const settings = { batchSize: size, layers: [], probabilities: true, isTuned: true };
    const plan = await InferencePlan.compile(engine, network, weights, settings);
    try {
      await plan.warm();
      return await measure(plan, somePictures(network, size));
    } finally {
      plan.dispose();
    }
  };
  const alone = await withPlan(1, (plan, pictures) =>
    repeat(options, async () => {
      await plan.run(pictures)();
    }),
  );
  const perSecond = await withPlan(batchSize, async (plan, pictures) => {
    let running = plan.run(pictures);
    const start = performance.now();
    // What is awaited in each turn was submitted in the one before it.
    const times = await repeat(options, async () => {
      const next = plan.run(pictures);
      await running();
      running = next;
    });
    await running();
    return ((times.length + 1) * batchSize * 1000) / (performance.now() - start);
  });
  return { millisecondsPerPicture: median(alone), picturesPerSecond: perSecond, batchSize };
}
