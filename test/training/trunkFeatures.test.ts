import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { FeatureFiles } from '../../src/store/featureFiles.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { type FeatureLimits, TrunkFeatures } from '../../src/training/trunkFeatures.js';
import { DEFAULT_TRAINING_OPTIONS, type PictureSource } from '../../src/training/types.js';
import { temporaryFolder } from '../store/fixtures.js';
import { colourPictures, freshSeed, frozen, seeded, smallNetwork } from './fixtures.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('features on the device, in memory, on disk and computed', () => {
  const seed = freshSeed();
  const random = seeded(seed);
  const { network, weights } = smallNetwork(['a', 'b'], random);
  const cut = frozen(network, ['conv1', 'bn1', 'conv2']);
  const partition = partitionNetwork(cut);
  const named = colourPictures(70, 2, random, 'q');
  const names = new Map(named.samples.map(({ hash }) => [sha256(hash), hash]));
  const all = [...names.keys()];
  const hashes = all.slice(0, 30);
  let engine: Engine;
  let decoded = 0;
  const pictures: PictureSource = {
    decoding: 'test',
    load(some) {
      decoded += some.length;
      return named.source.load(some.map((hash) => names.get(hash) as string));
    },
  };
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  const BATCH = 6;
  const batches = [
    hashes.slice(0, 6),
    hashes.slice(24),
    hashes.slice(3, 9).reverse(),
    Array(6).fill(hashes[29]),
  ] as string[][];

  /** What a head would read of each batch, in logical order, and how many pictures were decoded for it. */
  async function values(limits: FeatureLimits, cacheFeatures: boolean, store?: FeatureFiles) {
    const options = { ...DEFAULT_TRAINING_OPTIONS, cacheFeatures };
    const source = await TrunkFeatures.open(
      { engine, network: cut, weights, partition, pictures, hashes, options, store },
      limits,
    );
    const b = new PlanBuilder(engine);
    for (const [name, tensor] of source.addInputs(b, BATCH)) b.output(name, tensor);
    const plan = await b.compile();
    try {
      decoded = 0;
      const progress: number[] = [];
      await source.prepare(hashes, new AbortController().signal, (done) => void progress.push(done));
      const prepared = decoded;
      const seen: Record<string, Float32Array>[] = [];
      for (const batch of batches) seen.push(await plan.run(await source.load(batch))());
      return { seen, prepared, later: decoded - prepared, progress };
    } finally {
      plan.dispose();
      await source.dispose();
    }
  }

  test('every way gives the same bits', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const folder = await temporaryFolder();
    const store = new FeatureFiles(folder.path, { limitBytes: 2 ** 30 });
    // Two maps of 6 x 6 x 6 float32: 1728 bytes a picture.
    const half = { deviceBytes: 0, memoryBytes: 15 * 1728 };
    const none = { deviceBytes: 0, memoryBytes: 0 };
    const lots = 2 ** 24;
    try {
      const computed = await values(none, false);
      assert.deepEqual([computed.prepared, computed.later], [0, 6 + 6 + 6 + 1]);
      const onDevice = await values({ deviceBytes: lots, memoryBytes: 0 }, true);
      assert.deepEqual([onDevice.prepared, onDevice.later], [30, 0]);
      assert.equal(onDevice.progress.at(-1), 30);
      const inMemory = await values({ deviceBytes: 0, memoryBytes: lots }, true);
      assert.deepEqual([inMemory.prepared, inMemory.later], [30, 0]);
      const partly = await values(half, true);
      assert.equal(partly.prepared, 15, 'no more is computed ahead than can be kept');
      assert.ok(partly.later > 0);
      const cold = await values(none, true, store);
      assert.deepEqual([cold.prepared, cold.later], [30, 0]);
      const fromDisk = await values(none, true, store);
      assert.deepEqual([fromDisk.prepared, fromDisk.later], [0, 0]);
      const mixed = await values(half, true, store);
      assert.deepEqual([mixed.prepared, mixed.later], [0, 0]);
      const diskToDevice = await values({ deviceBytes: lots, memoryBytes: 0 }, true, store);
      assert.deepEqual([diskToDevice.prepared, diskToDevice.later], [0, 0]);
      for (const [name, { seen }] of Object.entries({
        onDevice,
        inMemory,
        partly,
        cold,
        fromDisk,
        mixed,
        diskToDevice,
      })) {
        assert.deepEqual(seen, computed.seen, name);
      }
      assert.ok(computed.seen[0]?.relu1?.some((value) => value > 0));
    } finally {
      await folder.remove();
    }
  });

  test('an aborted preparation ends early and leaves the source usable', async () => {
    const options = { ...DEFAULT_TRAINING_OPTIONS };
    const request = { engine, network: cut, weights, partition, pictures, hashes: all, options };
    const source = await TrunkFeatures.open(request);
    try {
      decoded = 0;
      const abort = new AbortController();
      await source.prepare(all, abort.signal, () => abort.abort());
      assert.ok(decoded < all.length);
      const inputs = await source.load(hashes.slice(20, 26));
      assert.equal(Object.keys(inputs).length, 1);
    } finally {
      await source.dispose();
    }
  });

  test('a picture that cannot be decoded ends the computation with its error and leaves nothing behind', async () => {
    const memory = engine.memory;
    const broken: PictureSource = {
      load: (some) =>
        some.includes(hashes[17] as string) ? Promise.reject(new Error('broken picture')) : pictures.load(some),
    };
    const options = { ...DEFAULT_TRAINING_OPTIONS };
    const source = await TrunkFeatures.open({
      engine,
      network: cut,
      weights,
      partition,
      pictures: broken,
      hashes,
      options,
    });
    await assert.rejects(
      source.prepare(hashes, new AbortController().signal, () => undefined),
      /broken picture/,
    );
    await source.dispose();
    assert.deepEqual(engine.memory, memory);
  });
});
