import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import type { Weights } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { sumOfWeights, weightsOfClasses } from '../../src/training/classWeights.js';
import { TrainingError } from '../../src/training/errors.js';
import { trainNetwork } from '../../src/training/trainer.js';
import {
  type CompiledRun,
  DEFAULT_TRAINING_OPTIONS,
  type ProgressEvent,
  type Sample,
  type TrainingOptions,
} from '../../src/training/types.js';
import { assertClose } from '../kernels/checkOp.js';
import { colourPictures, freshSeed, frozen, seeded, smallNetwork } from './fixtures.js';

test('balanced weights are pictures / (classes * pictures of the class), as in scikit-learn', () => {
  const balanced = { balanceClasses: true, classWeights: null };
  // compute_class_weight('balanced', classes=[0, 1, 2], y=[0, 0, 0, 1, 1, 2]).
  assertClose(weightsOfClasses(balanced, [0, 0, 0, 1, 1, 2], 3) ?? [], [2 / 3, 1, 2], 'weights', 1e-7);
  // A class without pictures has no share in the others'.
  assertClose(weightsOfClasses(balanced, [0, 0, 0, 2], 3) ?? [], [2 / 3, 1, 2], 'weights', 1e-7);
  assert.equal(weightsOfClasses({ balanceClasses: false, classWeights: null }, [0, 1], 2), null);
  assert.deepEqual(
    weightsOfClasses({ balanceClasses: false, classWeights: [3, 0.5] }, [0, 1], 2),
    Float32Array.of(3, 0.5),
  );
});

test('the denominator is the number of pictures or the sum of their weights', () => {
  assert.equal(sumOfWeights(Uint32Array.of(0, 1, 1), null), 3);
  assert.equal(sumOfWeights(Uint32Array.of(0, 1, 1), Float32Array.of(2, 0.25)), 2.5);
});

describe('training with weights of classes', () => {
  const CLASSES = ['red', 'green', 'blue'];
  const seed = freshSeed();
  const random = seeded(seed);
  const small = smallNetwork(CLASSES, random);
  // Batch statistics and dropout would depend on which pictures are in the batch.
  const cut = frozen(small.network, ['bn1', 'bn2']);
  const network = {
    ...cut,
    layers: cut.layers.map((layer) => (layer.kind === 'dropout' ? { ...layer, rate: 0 } : layer)),
  };
  const { samples, source } = colourPictures(160, 3, random, 'p');
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  async function run(given: Partial<TrainingOptions>, train: readonly Sample[] = samples) {
    const events: ProgressEvent[] = [];
    const { last } = await trainNetwork({
      engine,
      network,
      weights: small.weights,
      train,
      validation: [],
      pictures: source,
      options: {
        ...DEFAULT_TRAINING_OPTIONS,
        optimizer: 'sgd',
        momentum: 0,
        batchSize: train.length,
        epochs: 1,
        learningRate: 0.1,
        ...given,
      },
      signal: new AbortController().signal,
      onProgress: (event) => {
        events.push(event);
      },
    });
    const loss = events.flatMap((event) => (event.type === 'epoch' ? [event.trainLoss] : []));
    return { last, loss, compiled: events.find((event) => event.type === 'compiled') as CompiledRun };
  }

  function assertSame(a: Weights, b: Weights): void {
    for (const [name, { data }] of b) assertClose(a.get(name)?.data ?? [], data, name, 1e-5);
  }
  const moved = (a: Weights, b: Weights) =>
    a.get('fc.weight')?.data.some((value, i) => value !== b.get('fc.weight')?.data[i]);

  test('a class of weight 3 counts as if each of its pictures were there three times', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const thrice = samples.flatMap((sample) => (sample.label === 1 ? [sample, sample, sample] : [sample]));
    const weighted = await run({ classWeights: [1, 3, 1] });
    const repeated = await run({}, thrice);
    const plain = await run({});
    assertSame(weighted.last, repeated.last);
    assertClose(weighted.loss, repeated.loss, 'loss', 1e-5);
    assert.ok(moved(weighted.last, plain.last));
  });

  test('only ratios of weights matter, and balanced ones are what the counts say', async () => {
    // 40, 8 and 12 pictures.
    const train = samples.filter(({ label }, i) => i < (label === 0 ? 120 : label === 1 ? 24 : 36));
    const count = (label: number) => train.filter((sample) => sample.label === label).length;
    assert.deepEqual([count(0), count(1), count(2)], [40, 8, 12]);
    const balanced = await run({ balanceClasses: true }, train);
    const given = await run({ classWeights: [3, 15, 10] }, train);
    assertSame(balanced.last, given.last);
  });

  test('a batch in parts takes the same steps as the whole batch', async () => {
    const options = { classWeights: [0.5, 4, 1], labelSmoothing: 0.1, epochs: 2, batchSize: 150, gradientClipNorm: 1 };
    const whole = await run(options);
    const parts = await run({ ...options, memoryLimitMiB: 1 });
    assert.equal(whole.compiled.parts, 1);
    assert.ok(parts.compiled.parts > 1);
    assertSame(parts.last, whole.last);
    assertClose(parts.loss, whole.loss, 'loss', 1e-5);
    assert.deepEqual(engine.memory, { buffers: 0, bytes: 0 });
  });

  test('weights that fit no class, that are no weights, or that come twice are refused', async () => {
    for (const [options, message] of [
      [{ classWeights: [1, 2] }, /classWeights has 2 weights; the network has 3 classes/],
      [{ classWeights: [1, 0, 1] }, /classWeights has 0; allowed are numbers from/],
      [{ classWeights: [1, Number.NaN, 1] }, /classWeights has NaN/],
      [{ classWeights: [1, 1, 1], balanceClasses: true }, /exclude each other/],
    ] as const) {
      await assert.rejects(run(options), (error: unknown) => {
        assert.ok(error instanceof TrainingError && error.code === 'INVALID_OPTIONS');
        assert.match(error.message, message);
        return true;
      });
    }
  });
});
