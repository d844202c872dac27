import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Engine } from '../../src/kernels/engine.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { TrainableHead } from '../../src/training/head.js';
import { type HeadSource, uploadedPictures, uploadedValues } from '../../src/training/headInputs.js';
import { InferencePlan } from '../../src/training/inference.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { DEFAULT_TRAINING_OPTIONS, type TrainingOptions } from '../../src/training/types.js';
import { freshSeed, frozen, seeded, smallNetwork } from './fixtures.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const CLASSES = ['a', 'b', 'c'];
const BATCH = 4;
/** What the heap may grow by besides a leak: caches of the JavaScript engine. A leak of 1 kB in each of 2,000 steps is twice that. */
const HEAP_SLACK = 2 ** 20;

/** Bytes that JavaScript holds once all garbage is gone, array buffers included. */
async function heldBytes(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    collectGarbage();
    await nextTurn();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe('nothing leaks', () => {
  const random = seeded(freshSeed());
  const { network, weights } = smallNetwork(CLASSES, random);
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  function createHead(given: Partial<TrainingOptions>, source: HeadSource, trained = network) {
    const options: TrainingOptions = { ...DEFAULT_TRAINING_OPTIONS, batchSize: BATCH, ...given };
    return new TrainableHead(engine, trained, weights, partitionNetwork(trained), source, options);
  }

  async function steps(head: TrainableHead, count: number, inputs: Record<string, ArrayBufferView>): Promise<void> {
    const labels = Uint32Array.from({ length: BATCH }, (_, i) => i % CLASSES.length);
    let pending: (() => Promise<unknown>) | null = null;
    for (let step = 0; step < count; step++) {
      const finish = head.trainStep(inputs, labels, 1e-3);
      await pending?.();
      pending = finish;
      if (step % 100 === 0) await head.evaluateBatch(inputs, labels)();
    }
    await pending?.();
  }

  test('2,000 training steps leave buffers and heap where they were', async (t) => {
    const trunk = ['conv1', 'bn1', 'conv2', 'bn2'];
    const trained = frozen(network, trunk);
    const { boundary } = partitionNetwork(trained);
    const head = createHead(
      { gradientClipNorm: 1 },
      uploadedValues(new Map(boundary.map((name) => [name, [6]]))),
      trained,
    );
    await head.compile([BATCH], true);
    const inputs = Object.fromEntries(boundary.map((name) => [name, Float32Array.from({ length: BATCH * 6 }, random)]));
    await steps(head, 200, inputs);
    const buffers = engine.memory;
    const before = await heldBytes();
    await steps(head, 2000, inputs);
    const grown = (await heldBytes()) - before;
    t.diagnostic(`JavaScript holds ${grown} bytes more`);
    assert.deepEqual(engine.memory, buffers);
    assert.ok(grown < HEAP_SLACK, `${grown} bytes more after 2,000 steps`);
    head.dispose();
    assert.deepEqual(engine.memory, { buffers: 0, bytes: 0 });
  });

  test('50 cycles of compiling and disposing leave buffers and heap where they were', async (t) => {
    const pictures = { pictures: Uint8Array.from({ length: BATCH * 12 * 12 * 3 }, () => Math.floor(256 * random())) };
    const cycle = async (index: number) => {
      const head = createHead(
        { recomputeActivations: index % 2 === 0, optimizer: index % 3 ? 'adam' : 'sgd' },
        uploadedPictures(network),
      );
      await head.compile([BATCH, 3], true);
      await steps(head, 1, pictures);
      head.dispose();
      const plan = await InferencePlan.compile(engine, network, weights, {
        batchSize: 2,
        layers: ['relu2'],
        probabilities: true,
      });
      await plan.run(pictures.pictures.subarray(0, 12 * 12 * 3))();
      plan.dispose();
      assert.deepEqual(engine.memory, { buffers: 0, bytes: 0 });
    };
    for (let index = 0; index < 6; index++) await cycle(index);
    const before = await heldBytes();
    for (let index = 0; index < 50; index++) await cycle(index);
    const grown = (await heldBytes()) - before;
    t.diagnostic(`JavaScript holds ${grown} bytes more`);
    assert.ok(grown < HEAP_SLACK, `${grown} bytes more after 50 cycles`);
  });
});
