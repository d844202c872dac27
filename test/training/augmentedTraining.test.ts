import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { decodePicture } from '../../src/datasets/decode.js';
import type { Engine } from '../../src/kernels/engine.js';
import type { Network, Preprocessing, Weights } from '../../src/models/network.js';
import { imagenetPreprocessing } from '../../src/models/preprocessing.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { AugmentedPictures } from '../../src/training/augmentation/augmentedPictures.js';
import { type AugmentationPolicy, NO_AUGMENTATION } from '../../src/training/augmentation/policy.js';
import { wholePicture } from '../../src/training/augmentation/wholePicture.js';
import { TrainingError } from '../../src/training/errors.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { trainNetwork, type TrainingRequest } from '../../src/training/trainer.js';
import {
  type CompiledRun,
  DEFAULT_TRAINING_OPTIONS,
  type PictureSource,
  type ProgressEvent,
  type TrainingOptions,
} from '../../src/training/types.js';
import { assertClose } from '../kernels/checkOp.js';
import { colourPictures, freshSeed, frozen, seeded, smallNetwork } from './fixtures.js';

const CLASSES = ['red', 'green', 'blue'];
const TRUNK = ['conv1', 'bn1', 'conv2', 'bn2'];

const VARIED: AugmentationPolicy = {
  ...NO_AUGMENTATION,
  randomResizedCrop: { scale: { min: 0.3, max: 1 }, ratio: { min: 0.75, max: 4 / 3 } },
  horizontalFlip: 0.5,
  rotation: 20,
  translation: { horizontal: 0.1, vertical: 0.1 },
  colorJitter: { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.02 },
  randomErasing: { probability: 0.3, scale: { min: 0.02, max: 0.2 }, ratio: { min: 0.5, max: 2 }, value: 0 },
};
const MIXED: AugmentationPolicy = { ...VARIED, mixup: 0.4, cutmix: 1 };

describe('training on augmented pictures', () => {
  const seed = freshSeed();
  const random = seeded(seed);
  const { network, weights } = smallNetwork(CLASSES, random);
  const pictures = colourPictures(53, 3, random, 'p');
  const train = pictures.samples.slice(0, 41);
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  async function run(
    given: Partial<TrainingOptions>,
    trained: Network = network,
    extra: Partial<TrainingRequest> = {},
  ) {
    const events: ProgressEvent[] = [];
    const result = await trainNetwork({
      engine,
      network: trained,
      weights,
      train,
      validation: pictures.samples.slice(41),
      pictures: pictures.source,
      wholePictures: pictures.source,
      options: { ...DEFAULT_TRAINING_OPTIONS, batchSize: 8, epochs: 2, learningRate: 0.01, ...given },
      signal: new AbortController().signal,
      onProgress: (event) => {
        events.push(event);
      },
      ...extra,
    });
    const epochs = events.flatMap((event) => (event.type === 'epoch' ? [event] : []));
    return { ...result, events, epochs };
  }

  const bits = (result: { last: Weights }) =>
    [...result.last.values()].map(({ data }) =>
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    );

  for (const [name, layers] of [
    ['every layer trains', []],
    ['the trunk is frozen', TRUNK],
  ] as const) {
    const cut = frozen(network, layers);
    test(`the same seed gives the same bits, another seed or policy does not: ${name}`, async (t) => {
      t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
      for (const augmentation of [VARIED, MIXED]) {
        const first = await run({ augmentation }, cut);
        assert.deepEqual(bits(first), bits(await run({ augmentation }, cut)));
        assert.notDeepEqual(bits(first), bits(await run({ augmentation, seed: 2 }, cut)));
        assert.notDeepEqual(bits(first), bits(await run({}, cut)));
        for (const { trainLoss, trainAccuracy } of first.epochs) {
          assert.ok(Number.isFinite(trainLoss) && trainAccuracy >= 0 && trainAccuracy <= 1);
        }
      }
      assert.deepEqual(engine.memory, { buffers: 0, bytes: 0 });
    });

    test(`a policy that does nothing trains what no policy trains: ${name}`, async (t) => {
      t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
      const options = { optimizer: 'sgd', batchSize: 8 } as const;
      const plain = await run(options, cut);
      const nothing = await run({ ...options, augmentation: NO_AUGMENTATION }, cut);
      for (const [weight, { data }] of plain.last)
        assertClose(nothing.last.get(weight)?.data ?? [], data, weight, 1e-4);
      assertClose(
        nothing.epochs.map(({ validationLoss }) => validationLoss as number),
        plain.epochs.map(({ validationLoss }) => validationLoss as number),
        'validation',
        1e-4,
      );
    });
  }

  test('only validation pictures go through the feature cache', async () => {
    const counted = (result: { events: ProgressEvent[] }) =>
      result.events.flatMap((event) => (event.type === 'pictures' ? [event.total] : []));
    const cut = frozen(network, TRUNK);
    assert.ok(counted(await run({}, cut)).every((total) => total === 53));
    const augmented = counted(await run({ augmentation: VARIED }, cut));
    assert.ok(augmented.length > 0 && augmented.every((total) => total === 12));
    assert.deepEqual(counted(await run({ augmentation: VARIED }, cut, { validation: [] })), []);
    const cached = await run({ augmentation: VARIED, cacheFeatures: true }, cut);
    const computed = await run({ augmentation: VARIED, cacheFeatures: false }, cut);
    assert.deepEqual(bits(cached), bits(computed));
  });

  test('a batch in parts takes the steps of the whole batch, unless pictures are mixed', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const many = colourPictures(400, 3, random, 'm');
    const norms = frozen(network, ['bn1', 'bn2']);
    const extra = { train: many.samples, validation: [], pictures: many.source, wholePictures: many.source };
    const options = { optimizer: 'sgd', batchSize: 150, augmentation: VARIED } as const;
    const whole = await run(options, norms, extra);
    let most = 0;
    const onProgress = () => {
      most = Math.max(most, engine.memory.bytes);
    };
    await run({ ...options, memoryLimitMiB: 1 }, norms, { ...extra, onProgress });
    assert.ok(most <= 2 ** 20, `${most} bytes`);
    const parts = await run({ ...options, memoryLimitMiB: 1 }, norms, extra);
    const compiled = parts.events.find((event) => event.type === 'compiled') as CompiledRun;
    assert.ok(compiled.parts > 1);
    for (const [name, { data }] of whole.last) assertClose(parts.last.get(name)?.data ?? [], data, name, 1e-5);
    const weighed = { ...options, augmentation: MIXED, memoryLimitMiB: 1, balanceClasses: true };
    const mixed = await run(weighed, norms, extra);
    assert.ok(mixed.epochs.every(({ trainLoss }) => Number.isFinite(trainLoss)));
  });

  test('mixed precision trains on what float32 trains on', async (t) => {
    if (!engine.device.features.has('shader-f16')) return t.skip('this adapter lacks shader-f16');
    const options = { augmentation: MIXED, epochs: 1, optimizer: 'sgd', batchSize: 41 } as const;
    const full = await run(options);
    const half = await run({ ...options, precision: 'mixed' });
    const loss = ({ epochs }: typeof full) => epochs.map(({ trainLoss }) => trainLoss);
    assertClose(loss(half), loss(full), 'loss', 0.01);
  });

  test('each epoch has its own variations, whether or not the epochs before were trained', async () => {
    const inputs = () =>
      new AugmentedPictures({
        engine,
        network,
        weights,
        partition: partitionNetwork(network),
        pictures: pictures.source,
        policy: MIXED,
        seed: 7,
      });
    const through = inputs();
    const first = await through.load(train, 1, [20, 21]);
    const second = await through.load(train, 2, [20, 21]);
    const resumed = await inputs().load(train, 2, [20, 21]);
    assert.notDeepEqual(first.augmentation, second.augmentation);
    assert.deepEqual(second, resumed);
    const targets = second.targets as Float32Array;
    for (let i = 0; i < train.length; i++) {
      const sum = targets.slice(3 * i, 3 * i + 3).reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(sum - 1) < 1e-6);
    }
  });

  test('a random crop sees the borders that validation does not', async () => {
    const preprocessing: Preprocessing = { ...network.preprocessing, fit: 'centerCrop', cropFraction: 0.75 };
    const whole = wholePicture(preprocessing);
    assert.deepEqual([whole.height, whole.width, whole.fit, whole.cropFraction], [16, 16, 'stretch', 1]);
    const kept = wholePicture({ ...preprocessing, fit: 'resizeThenCrop' });
    assert.deepEqual([kept.height, kept.width, kept.fit, kept.cropFraction], [16, 16, 'resizeThenCrop', 1]);
    assert.deepEqual(wholePicture(network.preprocessing), network.preprocessing);
    const sizes: number[] = [];
    const wholePictures: PictureSource = {
      load: async (hashes) => {
        sizes.push(hashes.length);
        return new Uint8Array(hashes.length * 16 * 16 * 3).fill(100);
      },
    };
    const cropped = { ...network, preprocessing };
    await run({ augmentation: VARIED, epochs: 1 }, cropped, { wholePictures });
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      41,
    );
  });

  test('the middle of the whole picture is the picture that validation sees', async () => {
    const [width, height] = [512, 384];
    const pixels = Buffer.from(
      Array.from({ length: width * height * 3 }, (_, i) => {
        const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
        return Math.round(128 + 100 * Math.sin(x / (7 + (i % 3))) * Math.cos(y / 11));
      }),
    );
    const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    const preprocessing = imagenetPreprocessing(224, 224);
    const seen = await decodePicture(png, preprocessing);
    const whole = await decodePicture(png, wholePicture(preprocessing));
    assert.equal(whole.length, 256 * 256 * 3);
    // Both are rounded to bytes.
    seen.forEach((value, i) => {
      const [x, y] = [Math.floor(i / 3) % 224, Math.floor(i / 3 / 224)];
      const same = whole[((y + 16) * 256 + x + 16) * 3 + (i % 3)] as number;
      assert.ok(Math.abs(value - same) <= 2, `${x}, ${y}: ${same} instead of ${value}`);
    });
  });

  test('what cannot be is refused', async () => {
    const refused = (message: RegExp) => (error: unknown) =>
      error instanceof TrainingError && error.code === 'INVALID_OPTIONS' && message.test(error.message);
    const wrong = { ...VARIED, rotation: 181 };
    await assert.rejects(run({ augmentation: wrong }), refused(/augmentation\.rotation is 181.*from 0 to 180/));
    await assert.rejects(
      run({ augmentation: VARIED }, network, { wholePictures: undefined }),
      refused(/wholePictures/),
    );
  });
});
