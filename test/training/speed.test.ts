import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { measureSpeed } from '../../src/training/speed.js';
import { seeded, smallNetwork } from './fixtures.js';

describe('the speed of predictions', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });
  const { network, weights } = smallNetwork(['a', 'b'], seeded(1));

  test('is measured for one picture and for batches, and leaves nothing on the device', async () => {
    const before = engine.memory;
    const begun = performance.now();
    const { signal } = new AbortController();
    const speed = await measureSpeed(engine, network, weights, { batchSize: 8, seconds: 0.05, signal });
    const took = performance.now() - begun;
    assert.equal(speed.batchSize, 8);
    // What it says must fit into the time that it took: at least three runs alone, and three batches.
    assert.ok(speed.millisecondsPerPicture > 0 && speed.millisecondsPerPicture * 2 < took);
    assert.ok(speed.picturesPerSecond > (3 * 8 * 1000) / took, `${speed.picturesPerSecond}`);
    assert.deepEqual(engine.memory, before);
  });

  test('ends early where nobody waits for it any more', async () => {
    const before = engine.memory;
    const measuring = measureSpeed(engine, network, weights, {
      batchSize: 2,
      seconds: 60,
      signal: AbortSignal.abort(),
    });
    await assert.rejects(measuring, { name: 'AbortError' });
    assert.deepEqual(engine.memory, before);
  });
});
