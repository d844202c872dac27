import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { create } from 'webgpu';
import { Engine, type EngineOptions } from '../kernels/engine.js';
import { EngineError } from '../kernels/errors.js';

/**
 * Dawn's instances by the name of the adapter that they are held to. They have to stay referenced for as long as a device of
 * theirs lives: once collected, the process dies with a segmentation fault.
 */
const instances = new Map<string, GPU>();

const sleeper = new Int32Array(new SharedArrayBuffer(4));

const FIRST_PAUSE_MS = 0.02;
const PAUSE_GROWTH = 1.2;
const LONGEST_PAUSE_MS = 0.5;

/** Short at first, so that what takes tenths of a millisecond is seen at once; longer where the GPU has much to do. */
export async function pause(turn: number): Promise<void> {
  Atomics.wait(sleeper, 0, 0, Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * PAUSE_GROWTH ** turn));
  await nextTurn();
}

export interface GpuOptions extends EngineOptions {
  /** Part of the adapter's name, in its case; null or absent: the fastest adapter. */
  readonly adapter?: string | null;
}

/**
 * Opens an engine on Dawn in this process. Throws `NO_ADAPTER` where no driver answers, or none of that name; the message then
 * lists the names that there are.
 */
export async function openEngine({ adapter = null, ...options }: GpuOptions = {}): Promise<Engine> {
  const key = adapter ?? '';
  const gpu = instances.get(key) ?? create(adapter === null ? [] : [`adapter=${adapter}`]);
  instances.set(key, gpu);
  try {
    return await Engine.open(gpu, { pause, cores: availableParallelism(), ...options });
  } catch (cause) {
    if (adapter === null || cause instanceof EngineError) throw cause;
    // Dawn's message lists the adapters.
    const message = `No adapter has ${JSON.stringify(adapter)} in its name: ${(cause as Error).message}`;
    throw new EngineError('NO_ADAPTER', message, { cause });
  }
}

/** Lets the process end: call it after the last engine is destroyed. */
export function releaseGpu(): void {
  instances.clear();
}
