import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { fromHalf, toHalf } from '../../src/kernels/half.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { evaluateNetwork } from '../../src/training/evaluate.js';
import { trainNetwork } from '../../src/training/trainer.js';
import { type CompiledRun, DEFAULT_TRAINING_OPTIONS, type TrainingOptions } from '../../src/training/types.js';
import { colourPictures, freshSeed, frozen, seeded, smallNetwork } from './fixtures.js';

const CLASSES = ['red', 'green', 'blue'];

describe('mixed precision', () => {
  const seed = freshSeed();
  const random = seeded(seed);
  const { network, weights } = smallNetwork(CLASSES, random);
  const { samples, source } = colourPictures(120, 3, random, 'p');
  const unseen = colourPictures(90, 3, random, 'u');
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  async function run(given: Partial<TrainingOptions>, trained = network) {
    let compiled: CompiledRun | null = null;
    const result = await trainNetwork({
      engine,
      network: trained,
      weights,
      train: samples,
      validation: [],
      pictures: source,
      options: { ...DEFAULT_TRAINING_OPTIONS, batchSize: 12, epochs: 6, learningRate: 0.01, ...given },
      signal: new AbortController().signal,
      onProgress: (event) => {
        if (event.type === 'compiled') compiled = event;
      },
    });
    const { accuracy } = await evaluateNetwork({
      engine,
      network,
      weights: result.last,
      samples: unseen.samples,
      pictures: unseen.source,
      classes: CLASSES,
    });
    return { ...result, accuracy, compiled: compiled as CompiledRun | null };
  }

  for (const [name, layers] of [
    ['every layer trains', []],
    ['the trunk is frozen', ['conv1', 'bn1', 'conv2', 'bn2']],
  ] as const) {
    test(`learns what float32 learns, in less memory: ${name}`, async (t) => {
      if (!engine.device.features.has('shader-f16')) return t.skip('this adapter lacks shader-f16');
      t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
      const trained = frozen(network, layers);
      const full = await run({}, trained);
      const mixed = await run({ precision: 'mixed' }, trained);
      const again = await run({ precision: 'mixed' }, trained);
      t.diagnostic(`accuracy ${full.accuracy} in float32, ${mixed.accuracy} in mixed precision`);
      // 90 pictures: two standard errors of a difference at 90 % are nine points.
      assert.ok(mixed.accuracy >= full.accuracy - 0.09, `${mixed.accuracy} instead of ${full.accuracy}`);
      for (const [parameter, { data }] of mixed.last) {
        assert.ok(
          data.every((value) => Number.isFinite(value)),
          parameter,
        );
        assert.deepEqual(again.last.get(parameter)?.data, data, `${parameter}: the same bits again`);
      }
      // The weights are float32: updates far below a float16's last place are kept.
      const moved = mixed.last.get('fc.weight')?.data as Float32Array;
      assert.notDeepEqual(fromHalf(toHalf(moved)), moved);
    });
  }
});
