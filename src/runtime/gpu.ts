import { setImmediate as nextTurn } from 'node:timers/promises';
import { create } from 'webgpu';
import { Engine, type EngineOptions } from '../kernels/engine.js';

/**
 * Dawn's instance. It has to stay referenced for as long as a device of it lives: once collected, the process dies with a
 * segmentation fault.
 */
let instance: GPU | null = null;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

async function pause(): Promise<void> {
  Atomics.wait(sleeper, 0, 0, 0.5);
  await nextTurn();
}

/** Opens an engine on Dawn in this process. Throws `NO_ADAPTER` where no driver answers. */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  instance ??= create([]);
  return Engine.open(instance, { pause, ...options });
}

/** Lets the process end: call it after the last engine is destroyed. */
export function releaseGpu(): void {
  instance = null;
}
