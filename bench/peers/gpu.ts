import { create, globals } from 'webgpu';
import { pause } from '../../src/runtime/gpu.js';

/** Dawn's instance has to stay referenced for as long as its devices live. */
let instance: GPU | null = null;

/** Gives engines that are written for browsers the same Dawn, hence the same adapter, that ours runs on. */
export function offerWebGpu(): void {
  instance ??= create([]);
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu: instance, userAgent: 'node' },
    configurable: true,
  });
}

/** Waits as our engine does, sleeping between looks: Dawn's Node binding spins while a promise is pending and takes a core away. */
export async function settle<T>(promise: Promise<T>): Promise<T> {
  let pending = true;
  const done = () => {
    pending = false;
  };
  promise.then(done, done);
  await Promise.resolve();
  for (let turn = 0; pending; turn++) await pause(turn);
  return promise;
}
