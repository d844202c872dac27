import { type Engine, GPU_BUFFER_USAGE, GPU_MAP_READ } from './engine.js';

const TIMESTAMP_BYTES = 8;

/** Milliseconds of one compute pass: by timestamps of the device where it has them, else from submission to completion. */
export async function timePass(engine: Engine, encode: (pass: GPUComputePassEncoder) => void): Promise<number> {
  const { device } = engine;
  await engine.idle();
  if (!device.features.has('timestamp-query')) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass);
    pass.end();
    const commands = encoder.finish();
    const started = performance.now();
    device.queue.submit([commands]);
    await engine.idle();
    return performance.now() - started;
  }
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPU_BUFFER_USAGE;
  const resolved = engine.createBuffer('timestamps', 2 * TIMESTAMP_BYTES, QUERY_RESOLVE | COPY_SRC);
  const staging = engine.createBuffer('timestamps read back', 2 * TIMESTAMP_BYTES, MAP_READ | COPY_DST);
  try {
    const encoder = device.createCommandEncoder();
    const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    const pass = encoder.beginComputePass({ timestampWrites });
    encode(pass);
    pass.end();
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 2 * TIMESTAMP_BYTES);
    device.queue.submit([encoder.finish()]);
    await engine.settle(staging.mapAsync(GPU_MAP_READ));
    const [begin = 0n, end = 0n] = new BigUint64Array(staging.getMappedRange());
    // Nanoseconds. A device whose clock was reset in between counts as unmeasurably fast.
    return Math.max(0, Number(end - begin)) / 1e6;
  } finally {
    querySet.destroy();
    engine.destroyBuffer(resolved);
    engine.destroyBuffer(staging);
  }
}

const POOL_SIZE = 2 ** 16;
let pool: Float32Array | null = null;

/** `count` numbers between -1 and 1 that look like noise; the same at every call. */
export function someValues(count: number): Float32Array {
  if (!pool) {
    let state = 1;
    pool = Float32Array.from({ length: POOL_SIZE }, () => {
      // Knuth and Lewis's quick generator (Numerical Recipes, section 7.1).
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 31 - 1;
    });
  }
  const values = new Float32Array(count);
  for (let start = 0; start < count; start += POOL_SIZE) {
    values.set(count - start < POOL_SIZE ? pool.subarray(0, count - start) : pool, start);
  }
  return values;
}
