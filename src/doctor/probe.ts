// Opens the GPU as the worker does and prints what it found as one line of JSON. A process of its own, because a broken
// driver can end the process.
import { openEngine, releaseGpu } from '../runtime/gpu.js';
import type { Probe } from './report.js';

async function probe(): Promise<Probe> {
  try {
    const engine = await openEngine({ adapter: process.argv[2] });
    const { adapter, kernelFamily } = engine;
    engine.device.destroy();
    releaseGpu();
    return { adapter, kernelFamily, error: null };
  } catch (error) {
    return { adapter: null, kernelFamily: null, error: (error as Error).message };
  }
}

process.stdout.write(`${JSON.stringify(await probe())}\n`);
