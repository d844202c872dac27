import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import type { Weights } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { TrainingError } from '../../src/training/errors.js';
import { evaluateNetwork } from '../../src/training/evaluate.js';
import { trainNetwork } from '../../src/training/trainer.js';
import { DEFAULT_TRAINING_OPTIONS, type ProgressEvent, type TrainingOptions } from '../../src/training/types.js';
import { colourPictures, freshSeed, frozen, seeded, smallNetwork } from './fixtures.js';

const CLASSES = ['red', 'green', 'blue'];

function same(a: Weights, b: Weights, name: string): boolean {
  const left = a.get(name);
  const right = b.get(name);
  assert.ok(left && right, `no weight ${name}`);
  return Buffer.from(left.data.buffer, left.data.byteOffset, left.data.byteLength).equals(
    Buffer.from(right.data.buffer, right.data.byteOffset, right.data.byteLength),
  );
}

const sameAll = (a: Weights, b: Weights): boolean => [...a.keys()].every((name) => same(a, b, name));

describe('training', () => {
  let engine: Engine;
  const seed = freshSeed();
  const random = seeded(seed);
  const { network, weights } = smallNetwork(CLASSES, random);
  const pictures = colourPictures(53, 3, random, 'p');
  const train = pictures.samples.slice(0, 41);
  const validation = pictures.samples.slice(41);

  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  async function run(
    given: Partial<TrainingOptions>,
    trained = network,
    extra: {
      signal?: AbortSignal;
      onProgress?: (event: ProgressEvent) => void;
      validation?: typeof validation;
      weights?: Weights;
    } = {},
  ) {
    const events: ProgressEvent[] = [];
    const result = await trainNetwork({
      engine,
      network: trained,
      weights: extra.weights ?? weights,
      train,
      validation: extra.validation ?? validation,
      pictures: pictures.source,
      options: { ...DEFAULT_TRAINING_OPTIONS, batchSize: 8, epochs: 2, ...given },
      signal: extra.signal ?? new AbortController().signal,
      onProgress: (event) => {
        events.push(event);
        extra.onProgress?.(event);
      },
    });
    return { ...result, events };
  }

  const trunk = ['conv1', 'bn1', 'conv2', 'bn2'];

  test('the same seed gives the same bits, another seed does not', async (t) => {
    t.diagnostic(`seed ${seed}`);
    const first = await run({ seed: 5 });
    const second = await run({ seed: 5 });
    const other = await run({ seed: 6 });
    assert.ok(sameAll(first.last, second.last));
    assert.ok(sameAll(first.best, second.best));
    assert.ok(!same(first.last, other.last, 'fc.weight'));
  });

  test('the feature cache changes no bit', async (t) => {
    t.diagnostic(`seed ${seed}`);
    const cut = frozen(network, trunk);
    const cached = await run({ cacheFeatures: true }, cut);
    const computed = await run({ cacheFeatures: false }, cut);
    assert.ok(cached.events.some((event) => event.type === 'pictures' && event.done === event.total));
    assert.ok(!computed.events.some((event) => event.type === 'pictures'));
    assert.ok(sameAll(cached.last, computed.last));
    assert.ok(!same(cached.last, weights, 'fc.weight'));
  });

  test('a frozen layer keeps weights and statistics, also above one that trains', async () => {
    for (const names of [trunk, ['conv1', 'bn1'], ['bn1', 'bn2'], ['conv2', 'bn2']]) {
      const { last } = await run({}, frozen(network, names));
      for (const name of weights.keys()) {
        const layer = name.split('.')[0] as string;
        assert.equal(same(last, weights, name), names.includes(layer), `${name} with ${names.join(', ')} frozen`);
      }
    }
  });

  test('a learning-rate factor scales the first step of plain gradient descent', async () => {
    const options = { optimizer: 'sgd', momentum: 0, epochs: 1, batchSize: 41, learningRate: 0.125 } as const;
    const halved = {
      ...network,
      layers: network.layers.map((layer) => (layer.name === 'conv2' ? { ...layer, learningRateFactor: 0.5 } : layer)),
    };
    const whole = await run(options);
    const half = await run(options, halved);
    const before = weights.get('conv2.weight')?.data as Float32Array;
    const full = whole.last.get('conv2.weight')?.data as Float32Array;
    const slow = half.last.get('conv2.weight')?.data as Float32Array;
    for (let i = 0; i < before.length; i++) {
      const expected = ((full[i] as number) - (before[i] as number)) / 2;
      const actual = (slow[i] as number) - (before[i] as number);
      assert.ok(Math.abs(actual - expected) <= 1e-6, `${i}: ${actual} instead of ${expected}`);
    }
    assert.ok(same(whole.last, half.last, 'fc.weight'));
  });

  for (const optimizer of ['sgd', 'adam', 'adamw'] as const) {
    test(`${optimizer} learns colours that it has not seen`, async (t) => {
      t.diagnostic(`seed ${seed}`);
      const learningRate = optimizer === 'sgd' ? 0.05 : 0.02;
      const { best, events } = await run({ optimizer, learningRate, epochs: 25, gradientClipNorm: 5 });
      const result = await evaluateNetwork({
        engine,
        network,
        weights: best,
        samples: validation,
        pictures: pictures.source,
        classes: CLASSES,
      });
      assert.ok(result.accuracy >= 0.9, `accuracy ${result.accuracy}`);
      const epochs = events.filter((event) => event.type === 'epoch');
      const bestSeen = Math.max(...epochs.map((event) => event.validationAccuracy as number));
      assert.equal(result.accuracy, bestSeen, 'the best weights give the best epoch its accuracy again');
      assert.equal(epochs.length, 25);
    });
  }

  test('without validation pictures the best weights are the last', async () => {
    const { best, last, bestEpoch } = await run({}, network, { validation: [] });
    assert.ok(sameAll(best, last));
    assert.equal(bestEpoch, 2);
  });

  test('an aborted run ends with what it has', async () => {
    const controller = new AbortController();
    const { cancelled, steps } = await run({ epochs: 1000 }, network, {
      signal: controller.signal,
      onProgress: (event) => {
        if (event.type === 'epoch' && event.epoch === 2) controller.abort();
      },
    });
    assert.ok(cancelled);
    assert.equal(steps, 12);
  });

  test('a time budget ends the run early', async () => {
    const { cancelled, steps } = await run({ epochs: 10_000, maxSeconds: 0.3 });
    assert.ok(!cancelled);
    assert.ok(steps > 0 && steps < 10_000 * 6);
  });

  test('nothing stays on the device after a run', async () => {
    await run({});
    const before = engine.memory;
    await run({});
    await run({ cacheFeatures: true }, frozen(network, trunk));
    assert.deepEqual(engine.memory, before);
  });

  test('requests that cannot be trained say why', async () => {
    const all = network.layers.map((layer) => layer.name);
    const code = (expected: string) => (error: unknown) => error instanceof TrainingError && error.code === expected;
    await assert.rejects(run({}, frozen(network, all)), code('NOTHING_TO_TRAIN'));
    await assert.rejects(run({ learningRate: -1 }), code('INVALID_OPTIONS'));
    await assert.rejects(run({ epochs: 1.5 }), /epochs is 1.5/);
    await assert.rejects(run({ nesterov: true }), /nesterov needs/);
    const fc = weights.get('fc.weight');
    assert.ok(fc);
    const huge = new Map(weights).set('fc.weight', {
      shape: fc.shape,
      data: fc.data.map(() => 3e38 * (random() - 0.5)),
    });
    await assert.rejects(run({}, network, { weights: huge }), code('DIVERGED'));
  });
});
