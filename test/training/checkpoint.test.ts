import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import type { Weights } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { NO_AUGMENTATION } from '../../src/training/augmentation/policy.js';
import { type Checkpoints, readCheckpoint, writeCheckpoint } from '../../src/training/checkpoint.js';
import { TrainingError } from '../../src/training/errors.js';
import { trainNetwork } from '../../src/training/trainer.js';
import { DEFAULT_TRAINING_OPTIONS, type ProgressEvent, type TrainingOptions } from '../../src/training/types.js';
import { colourPictures, freshSeed, frozen, seeded, smallNetwork } from './fixtures.js';

const CLASSES = ['red', 'green', 'blue'];
const OWNER = 'this run on this device';

describe('a run that goes on from a checkpoint', () => {
  let engine: Engine;
  const random = seeded(freshSeed());
  const { network, weights } = smallNetwork(CLASSES, random);
  const pictures = colourPictures(40, 3, random, 'p');
  const train = pictures.samples.slice(0, 29);
  const validation = pictures.samples.slice(29);

  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  async function run(options: Partial<TrainingOptions>, checkpoints?: Checkpoints, samples = validation) {
    const events: ProgressEvent[] = [];
    const result = await trainNetwork({
      engine,
      network: frozen(network, ['conv1', 'bn1']),
      weights,
      train,
      validation: samples,
      pictures: pictures.source,
      wholePictures: pictures.source,
      options: { ...DEFAULT_TRAINING_OPTIONS, batchSize: 8, epochs: 3, ...options },
      signal: new AbortController().signal,
      onProgress: (event) => void events.push(event),
      ...(checkpoints ? { checkpoints } : {}),
    });
    const epochs = events.flatMap((event) => {
      if (event.type !== 'epoch') return [];
      const { seconds: _, ...measured } = event;
      return [measured];
    });
    return { ...result, events, epochs };
  }

  /** The files of the checkpoints that a run makes, one after each step. */
  async function recorded(options: Partial<TrainingOptions>, samples = validation) {
    const files: Uint8Array[] = [];
    const save: Checkpoints['save'] = async (checkpoint) => void files.push(writeCheckpoint(checkpoint, OWNER));
    return {
      ...(await run(options, { resume: null, everySeconds: 0, largestShare: Number.POSITIVE_INFINITY, save }, samples)),
      files,
    };
  }

  const resumeFrom = (file: Uint8Array): Checkpoints => {
    const resume = readCheckpoint(file, OWNER);
    assert.ok(resume);
    return {
      resume,
      everySeconds: Number.POSITIVE_INFINITY,
      largestShare: 1,
      save: () => Promise.reject(new Error('not asked for')),
    };
  };

  function assertSame(a: Weights, b: Weights): void {
    for (const [name, { data }] of a) {
      const other = b.get(name)?.data as Float32Array;
      assert.deepEqual(new Uint32Array(data.slice().buffer), new Uint32Array(other.slice().buffer), name);
    }
  }

  const cases: Record<string, Partial<TrainingOptions>> = {
    'Adam, with dropout': {},
    'SGD with momentum, clipped': { optimizer: 'sgd', momentum: 0.9, learningRate: 0.05, gradientClipNorm: 1 },
    'AdamW, batches in parts': { optimizer: 'adamw', weightDecay: 0.01, memoryLimitMiB: 1 },
    'varied pictures, without a cache': {
      augmentation: { ...NO_AUGMENTATION, horizontalFlip: 0.5 },
      cacheFeatures: false,
    },
  };
  for (const [name, options] of Object.entries(cases)) {
    test(`ends with the same bits: ${name}`, async () => {
      const whole = await run(options);
      const { files, ...watched } = await recorded(options);
      assertSame(watched.last, whole.last);
      assert.ok(files.length >= 2, `${files.length} checkpoints`);
      // In the first epoch, amid the run, and after its last step.
      for (const at of new Set([0, files.length >> 1, files.length - 1])) {
        const later = await run(options, resumeFrom(files[at] as Uint8Array));
        assertSame(later.last, whole.last);
        assertSame(later.best, whole.best);
        assert.equal(later.steps, whole.steps);
        assert.equal(later.bestEpoch, whole.bestEpoch);
        assert.ok(later.events.some(({ type }) => type === 'resumed'));
        assert.deepEqual(later.epochs, whole.epochs.slice(whole.epochs.length - later.epochs.length));
      }
    });
  }

  test('ends with the same bits without validation pictures, and in float16 where there is such a thing', async (t) => {
    const mixed = engine.adapter.features.includes('shader-f16');
    if (!mixed) t.diagnostic('this adapter has no shader-f16: float32 only');
    const options: Partial<TrainingOptions> = mixed ? { precision: 'mixed' } : {};
    const whole = await run(options, undefined, []);
    const { files } = await recorded(options, []);
    const later = await run(options, resumeFrom(files[files.length >> 1] as Uint8Array), []);
    assertSame(later.last, whole.last);
    assert.equal(later.bestEpoch, 3);
  });

  test('refuses what is not its own', async () => {
    const { files } = await recorded({ epochs: 1 });
    const file = files[0] as Uint8Array;
    assert.equal(readCheckpoint(file, 'another device'), null);
    const checkpoint = readCheckpoint(file, OWNER);
    assert.ok(checkpoint);
    const tensors = new Map(checkpoint.tensors);
    tensors.delete('control');
    await assert.rejects(
      run(
        { epochs: 1 },
        { resume: { ...checkpoint, tensors }, everySeconds: 1, largestShare: 1, save: async () => undefined },
      ),
      (error) => error instanceof TrainingError && error.code === 'CHECKPOINT_MISMATCH',
    );
  });

  test('makes checkpoints no more often than asked, and not at a cost above their share', async () => {
    const slow = { saves: 0 };
    await run(
      { epochs: 3 },
      {
        resume: null,
        everySeconds: 0,
        largestShare: 0.03,
        save: async () => {
          slow.saves++;
          await new Promise((resolve) => setTimeout(resolve, 200));
        },
      },
    );
    // 200 ms are 3 % of 6.7 s, longer than the run takes.
    assert.equal(slow.saves, 1);
  });
});
