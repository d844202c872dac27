import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { Layer, Network, Weights } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { partCounts, partSizes, partsOfBatch, slicePictures } from '../../src/training/batchParts.js';
import { TrainingError } from '../../src/training/errors.js';
import { TrainableHead } from '../../src/training/head.js';
import { uploadedPictures } from '../../src/training/headInputs.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { trainNetwork } from '../../src/training/trainer.js';
import {
  type CompiledRun,
  DEFAULT_TRAINING_OPTIONS,
  type ProgressEvent,
  type TrainingOptions,
} from '../../src/training/types.js';
import { assertClose } from '../kernels/checkOp.js';
import { colourPictures, freshSeed, frozen, seeded, smallNetwork } from './fixtures.js';

test('parts of a batch are as equal as can be and together the batch', () => {
  assert.deepEqual(partSizes(10, 3), [4, 3, 3]);
  assert.deepEqual(partsOfBatch(32, 8), [8, 8, 8, 8]);
  assert.deepEqual(partsOfBatch(5, 8), [5]);
  for (const batch of [1, 2, 7, 32, 100, 1024]) {
    const counts = partCounts(batch);
    assert.equal(counts[0], 1);
    assert.equal(counts.at(-1), batch);
    for (const [index, count] of counts.entries()) {
      assert.ok(index === 0 || count > (counts[index - 1] as number));
      const sizes = partSizes(batch, count);
      assert.equal(
        sizes.reduce((sum, size) => sum + size, 0),
        batch,
      );
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }
  }
});

test('slices of inputs hold the pictures asked for', () => {
  const inputs = { a: Float32Array.from({ length: 12 }, (_, i) => i), b: Uint8Array.from([1, 2, 3]) };
  const { a, b } = slicePictures(inputs, 3, 1, 3) as { a: Uint8Array; b: Uint8Array };
  assert.deepEqual(
    new Float32Array(a.buffer, a.byteOffset, a.byteLength / 4),
    Float32Array.of(4, 5, 6, 7, 8, 9, 10, 11),
  );
  assert.deepEqual([...b], [2, 3]);
});

describe('memory of a run', () => {
  const CLASSES = ['red', 'green', 'blue'];
  const seed = freshSeed();
  const random = seeded(seed);
  // Batch norms that train normalise by their part's own statistics; all else must not depend on the parts.
  const small = smallNetwork(CLASSES, random);
  const network = frozen(small.network, ['bn1', 'bn2']);
  const { samples, source } = colourPictures(410, 3, random, 'p');
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  async function run(given: Partial<TrainingOptions>) {
    const events: ProgressEvent[] = [];
    let most = 0;
    const { last } = await trainNetwork({
      engine,
      network,
      weights: small.weights,
      train: samples.slice(0, 400),
      validation: samples.slice(400),
      pictures: source,
      options: {
        ...DEFAULT_TRAINING_OPTIONS,
        optimizer: 'sgd',
        batchSize: 150,
        epochs: 2,
        learningRate: 0.05,
        gradientClipNorm: 1,
        ...given,
      },
      signal: new AbortController().signal,
      onProgress: (event) => {
        events.push(event);
        most = Math.max(most, engine.memory.bytes);
      },
    });
    const compiled = events.find((event) => event.type === 'compiled') as CompiledRun;
    return {
      last,
      compiled,
      most,
      losses: events.flatMap((event) => (event.type === 'epoch' ? [event.trainLoss] : [])),
    };
  }

  function assertSameWeights(a: Weights, b: Weights): void {
    for (const [name, { data }] of b) assertClose(a.get(name)?.data ?? [], data, name, 1e-5);
  }

  test('a batch in parts takes the same steps as the whole batch, with dropout and clipping', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const whole = await run({});
    const parts = await run({ memoryLimitMiB: 1 });
    assert.equal(whole.compiled.parts, 1);
    assert.equal(whole.compiled.partSize, 150);
    assert.ok(parts.compiled.parts > 1);
    assert.ok(parts.compiled.parts * parts.compiled.partSize >= 150);
    assertSameWeights(parts.last, whole.last);
    assertClose(parts.losses, whole.losses, 'losses', 1e-5);
    const other = await run({ seed: 2 });
    assert.notDeepEqual(other.last.get('fc.weight')?.data, whole.last.get('fc.weight')?.data);
  });

  test('what a run takes stays below the limit that it was given', async () => {
    const { most, compiled } = await run({ memoryLimitMiB: 1 });
    assert.ok(most <= 2 ** 20, `${most} bytes`);
    assert.ok(compiled.deviceBytes <= 2 ** 20 && compiled.deviceBytes > 2 ** 18);
    assert.deepEqual(engine.memory, { buffers: 0, bytes: 0 });
  });

  test('a limit below what single pictures need says what is needed', async () => {
    const ballast = engine.createTensor('ballast', [2 ** 18]);
    await assert.rejects(run({ memoryLimitMiB: 1 }), (error: unknown) => {
      assert.ok(error instanceof TrainingError && error.code === 'MEMORY_LIMIT');
      assert.match(error.message, /1 picture\(s\) at a time this run needs 2 MiB.*memoryLimitMiB is 1/);
      return true;
    });
    engine.destroyTensor(ballast);
    assert.deepEqual(engine.memory, { buffers: 0, bytes: 0 });
  });

  test('a batch larger than what the adapter binds at once is computed in parts', async (t) => {
    const limit = engine.device.limits.maxStorageBufferBindingSize;
    if (limit > 2 ** 28) return t.skip(`this adapter binds ${limit} bytes at once, too many to exceed in a test`);
    const batchSize = 40;
    // 12 x 12 pixels of float32 in each channel.
    const channels = Math.ceil((1.3 * limit) / (batchSize * 144 * 4));
    const layers: Layer[] = [
      {
        kind: 'input',
        name: 'input',
        inputs: [],
        learningRateFactor: 1,
        shape: [3, 12, 12],
        batched: true,
        type: 'float32',
      },
      {
        kind: 'conv2d',
        name: 'wide',
        inputs: ['input'],
        learningRateFactor: 1,
        outChannels: channels,
        kernel: [1, 1],
        stride: [1, 1],
        padding: { top: 0, left: 0, bottom: 0, right: 0 },
        dilation: [1, 1],
        groups: 1,
        weight: 'wide.weight',
        bias: null,
      },
      { kind: 'globalAveragePool', name: 'pool', inputs: ['wide'], learningRateFactor: 1, flatten: true },
      {
        kind: 'dense',
        name: 'fc',
        inputs: ['pool'],
        learningRateFactor: 1,
        outFeatures: 3,
        weight: 'fc.weight',
        bias: null,
      },
    ];
    const wide: Network = { ...network, layers };
    const head = new TrainableHead(
      engine,
      wide,
      initializeWeights(wide, 1),
      partitionNetwork(wide),
      uploadedPictures(wide),
      { ...DEFAULT_TRAINING_OPTIONS, batchSize },
    );
    const { parts, partSize } = await head.compile([batchSize], false);
    assert.ok(parts > 1 && partSize < batchSize);
    const pictures = await source.load(samples.slice(0, batchSize).map(({ hash }) => hash));
    const { loss } = await head.trainStep({ pictures }, new Uint32Array(batchSize), 1e-3)();
    assert.ok(Number.isFinite(loss) && loss > 0);
    head.dispose();
  });
});
