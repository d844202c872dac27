import type { Engine } from '../src/kernels/engine.js';
import { EngineError } from '../src/kernels/errors.js';
import { type Ceiling, floorMs } from './ceiling.js';
import { compare, type ReferenceResults } from './reference/samples.js';
import { time } from './timing.js';
import type { Workload } from './workload.js';

/** What a peer took, and how much longer that is (`ratio` above 1) than ours. */
export interface PeerResult {
  readonly ms: number;
  readonly ratio: number;
}

export interface Measurement {
  readonly name: string;
  /** Median. */
  readonly ms: number;
  readonly best: number;
  readonly gflops: number;
  /** 10^9 bytes that have to move at least, a second. */
  readonly gbps: number;
  readonly picturesPerSecond: number | null;
  /** Of the time that the measured ceiling of the device allows. */
  readonly share: number;
  /** Of one run of the work. */
  readonly dispatches: number;
  /** Device memory that the work holds: weights, optimiser state, activations. */
  readonly bytes: number;
  /** Largest distance from the reference, relative to the reference's largest value; null where there is none. */
  readonly maxError: number | null;
  /** Whether that is what rounding explains. */
  readonly isRight: boolean;
  readonly peers: Readonly<Record<string, PeerResult>>;
}

/** Runs one workload and compares what it computes with `reference`. Null where the device has too little memory for it, or a module that it
 * needs is not installed; `onSkip` gets the reason. */
export async function measure(
  engine: Engine,
  workload: Workload,
  reference: ReferenceResults | null,
  ceiling: Ceiling,
  seed: number,
  onSkip: (reason: string) => void,
): Promise<Measurement | null> {
  const before = engine.memory.bytes;
  try {
    const prepared = await workload.prepare(engine, seed);
    try {
      const comparison = reference ? compare(await prepared.results(), reference) : null;
      const bytes = engine.memory.bytes - before;
      const { ms, best } = await time(
        () => prepared.run(),
        () => engine.idle(),
      );
      const { name, flops, traffic, pictures } = workload;
      return {
        name,
        ms,
        best,
        gflops: flops / (ms * 1e6),
        gbps: traffic / (ms * 1e6),
        picturesPerSecond: pictures === undefined ? null : (1000 * pictures) / ms,
        share: floorMs(ceiling, flops, traffic) / ms,
        dispatches: prepared.dispatches,
        bytes,
        maxError: comparison?.maxError ?? null,
        isRight: comparison?.isRight ?? true,
        peers: {},
      };
    } finally {
      prepared.dispose();
    }
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const isTooLarge =
      error instanceof EngineError && (error.code === 'OUT_OF_MEMORY' || error.code === 'LIMIT_EXCEEDED');
    if (!isMissing && !isTooLarge) throw error;
    onSkip((error as Error).message);
    return null;
  }
}
