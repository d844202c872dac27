import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import type { Network, Weights } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { FeatureFiles } from '../../src/store/featureFiles.js';
import type { FeatureStore } from '../../src/training/featureStore.js';
import { trainNetwork } from '../../src/training/trainer.js';
import { DEFAULT_TRAINING_OPTIONS, type PictureSource, type TrainingOptions } from '../../src/training/types.js';
import { temporaryFolder } from '../store/fixtures.js';
import { colourPictures, freshSeed, frozen, seeded, smallNetwork } from './fixtures.js';

const CLASSES = ['red', 'green', 'blue'];
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function assertSame(a: Weights, b: Weights, what: string): void {
  assert.deepEqual([...a.keys()], [...b.keys()]);
  for (const [name, { data }] of a) assert.deepEqual(data, b.get(name)?.data, `${what}: ${name}`);
}

describe('features kept for later runs', () => {
  const seed = freshSeed();
  const random = seeded(seed);
  const { network, weights } = smallNetwork(CLASSES, random);
  const named = colourPictures(53, 3, random, 'p');
  const samples = named.samples.map(({ hash, label }) => ({ hash: sha256(hash), label }));
  const names = new Map(named.samples.map(({ hash }) => [sha256(hash), hash]));
  const train = samples.slice(0, 41);
  const validation = samples.slice(41);
  /** A vector, a map, and two values: where the head begins. */
  const cuts: Record<string, Network> = {
    'a vector': frozen(network, ['conv1', 'bn1', 'conv2', 'bn2']),
    'two maps': frozen(network, ['conv1', 'bn1', 'conv2']),
    'a map': frozen(network, ['conv1', 'bn1']),
  };

  let engine: Engine;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  const kept = () => new FeatureFiles(folder.path, { limitBytes: 2 ** 30 });

  /** Trains and counts the pictures that had to be decoded. */
  async function run(
    cut: Network,
    given: Partial<TrainingOptions> = {},
    extra: { store?: FeatureStore; decoding?: string; weights?: Weights; train?: typeof train } = {},
  ) {
    let decoded = 0;
    const pictures: PictureSource = {
      decoding: 'decoding' in extra ? extra.decoding : 'test',
      load(hashes) {
        decoded += hashes.length;
        return named.source.load(hashes.map((hash) => names.get(hash) as string));
      },
    };
    const result = await trainNetwork({
      engine,
      network: cut,
      weights: extra.weights ?? weights,
      train: extra.train ?? train,
      validation,
      pictures,
      featureStore: extra.store,
      options: { ...DEFAULT_TRAINING_OPTIONS, batchSize: 8, epochs: 2, ...given },
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    return { ...result, decoded };
  }

  const precisions = (): TrainingOptions['precision'][] =>
    engine.device.features.has('shader-f16') ? ['float32', 'mixed'] : ['float32'];

  for (const [what, cut] of Object.entries(cuts)) {
    test(`${what}: off, on, cold, warm and within a memory limit give the same bits`, async (t) => {
      t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
      for (const precision of precisions()) {
        const off = await run(cut, { precision, cacheFeatures: false }, { store: kept() });
        assert.deepEqual(await readdir(folder.path), [], 'off keeps nothing');
        const on = await run(cut, { precision });
        const cold = await run(cut, { precision }, { store: kept() });
        const warm = await run(cut, { precision }, { store: kept() });
        const limited = { precision, memoryLimitMiB: 2048 };
        const warmLimited = await run(cut, limited, { store: kept() });
        assert.equal(cold.decoded, samples.length);
        assert.equal(warm.decoded, 0);
        assert.equal(warmLimited.decoded, 0);
        for (const [name, result] of Object.entries({ on, cold, warm, warmLimited })) {
          assertSame(result.last, off.last, `${precision}, ${name}`);
          assertSame(result.best, off.best, `${precision}, ${name}`);
        }
        const coldLimited = await run(cut, limited);
        assertSame(coldLimited.last, off.last, `${precision}, cold within a limit`);
        await folder.remove();
        folder = await temporaryFolder();
      }
    });
  }

  const cut = cuts['a vector'] as Network;

  test('another head, other options and a sweep pay for the features once; more pictures only for the new ones', async () => {
    await run(cut, {}, { store: kept(), train: train.slice(0, 20) });
    assert.equal((await run(cut, {}, { store: kept() })).decoded, train.length - 20);
    assert.equal((await run(cut, { learningRate: 0.1, seed: 4 }, { store: kept() })).decoded, 0);
    const other = new Map(weights);
    const fc = weights.get('fc.weight') as { shape: number[]; data: Float32Array };
    other.set('fc.weight', { shape: fc.shape, data: fc.data.map(() => random()) });
    assert.equal((await run(cut, {}, { store: kept(), weights: other })).decoded, 0);
  });

  test('whatever a feature depends on makes it another', async () => {
    await run(cut, {}, { store: kept() });
    const all = samples.length;
    const changed = (name: string) => {
      const weight = weights.get(name) as { shape: number[]; data: Float32Array };
      const data = weight.data.slice();
      data[0] = (data[0] as number) + 0.25;
      return new Map(weights).set(name, { shape: weight.shape, data });
    };
    assert.equal((await run(cut, {}, { store: kept(), weights: changed('conv2.weight') })).decoded, all);
    assert.equal((await run(cut, {}, { store: kept(), weights: changed('bn1.running_mean') })).decoded, all);
    assert.equal((await run(cuts['a map'] as Network, {}, { store: kept() })).decoded, all);
    assert.equal((await run(cut, {}, { store: kept(), decoding: 'another decoder' })).decoded, all);
    const { preprocessing } = cut;
    const darker = { ...cut, preprocessing: { ...preprocessing, scale: 200 } };
    assert.equal((await run(darker, {}, { store: kept() })).decoded, all);
    assert.equal((await run(cut, {}, { store: kept() })).decoded, 0);
  });

  test('pictures whose decoding has no name are not kept', async () => {
    await run(cut, {}, { store: kept(), decoding: undefined });
    assert.deepEqual(await readdir(folder.path), []);
  });

  test('damaged features are computed again, and the run is what it was', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const whole = await run(cut, {}, { store: kept() });
    const [key] = (await readdir(folder.path)) as [string];
    const name = (await readdir(join(folder.path, key))).find((file) => file.endsWith('.records')) as string;
    const bytes = await readFile(join(folder.path, key, name));
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] as number) ^ 4;
    await writeFile(join(folder.path, key, name), bytes);
    const mended = await run(cut, {}, { store: kept() });
    assert.equal(mended.decoded, 1);
    assertSame(mended.last, whole.last, 'mended');
    assert.equal((await run(cut, {}, { store: kept() })).decoded, 0);
  });

  test('a store that may hold little, and one that can keep nothing, cost time only', async () => {
    const off = await run(cut, { cacheFeatures: false });
    const little = new FeatureFiles(folder.path, { limitBytes: 200 });
    assertSame((await run(cut, {}, { store: little })).last, off.last, 'little room');
    assertSame((await run(cut, {}, { store: little })).last, off.last, 'little room, warm');
    assertSame((await run(cut, {}, { store: { open: async () => null } })).last, off.last, 'no store');
  });

  test('two runs at a time share a store', async () => {
    const alone = await run(cut, { seed: 3 });
    const both = await Promise.all([
      run(cut, { seed: 3 }, { store: kept() }),
      run(cut, { seed: 3 }, { store: kept() }),
    ]);
    for (const { last } of both) assertSame(last, alone.last, 'at the same time');
    assert.equal((await run(cut, {}, { store: kept() })).decoded, 0);
  });

  test('nothing stays on the device after cold and warm runs', async () => {
    await run(cut, {}, { store: kept() });
    const memory = engine.memory;
    await run(cut, {}, { store: kept() });
    await run(cut, { memoryLimitMiB: 2048 }, { store: kept() });
    await run(cut, {}, { store: kept(), decoding: 'cold' });
    assert.deepEqual(engine.memory, memory);
  });
});
