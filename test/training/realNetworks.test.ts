import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openArchive } from '../../src/datasets/archive.js';
import { ingest } from '../../src/datasets/ingest.js';
import { DecodingPictureSource } from '../../src/datasets/pictureSource.js';
import type { Engine } from '../../src/kernels/engine.js';
import { importModel } from '../../src/models/detect.js';
import { replaceHead } from '../../src/models/head.js';
import type { Network, Preprocessing, Weights } from '../../src/models/network.js';
import { freeze } from '../../src/models/surgery.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { evaluateNetwork } from '../../src/training/evaluate.js';
import { InferencePlan } from '../../src/training/inference.js';
import { trainNetwork } from '../../src/training/trainer.js';
import { DEFAULT_TRAINING_OPTIONS, type TrainingOptions } from '../../src/training/types.js';

// Real weights and pictures that are too large, or not free enough, to come with Graft.
const SHARED = '../shared';
const MODEL = join(SHARED, 'weights', 'mobilenet_v2_imagenet.onnx');
const IMAGENET = join(SHARED, 'data', 'imagenet-sample-40');
const HYMENOPTERA = join(SHARED, 'data', 'hymenoptera', 'hymenoptera_data');
const missing = [MODEL, IMAGENET, HYMENOPTERA].filter((path) => !existsSync(path));
const skip = missing.length > 0 && `${missing.join(', ')} not found`;

/** What the file's publisher says: the central 87.5 %, x / 127.5 - 1. */
const PREPROCESSING: Partial<Preprocessing> = {
  fit: 'centerCrop',
  cropFraction: 0.875,
  interpolation: 'cubic',
  channelOrder: 'RGB',
  scale: 127.5,
  mean: [1, 1, 1],
  std: [1, 1, 1],
};

interface Reference {
  readonly predictions: readonly {
    readonly file: string;
    readonly top5: readonly { readonly index: number; readonly logit: number }[];
  }[];
}

describe('the ImageNet MobileNet-v2', { skip }, () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });
  const load = async (preprocessing: Partial<Preprocessing>) =>
    importModel({ 'model.onnx': await readFile(MODEL) }, { preprocessing });

  test('sees what an independent implementation sees in 40 pictures', async (t) => {
    const { network, weights } = await load(PREPROCESSING);
    const { predictions } = JSON.parse(await readFile(join(IMAGENET, 'reference.json'), 'utf8')) as Reference;
    assert.equal(predictions.length, 40);
    const pictures = new DecodingPictureSource({
      read: (file) => readFile(join(IMAGENET, file)),
      preprocessing: network.preprocessing,
    });
    const logits = network.layers.at(-1)?.name as string;
    const plan = await InferencePlan.compile(engine, network, weights, { batchSize: 8, layers: [logits] });
    let agreeing = 0;
    let largest = 0;
    for (let start = 0; start < predictions.length; start += 8) {
      const batch = predictions.slice(start, start + 8);
      const outputs = (await plan.run(await pictures.load(batch.map(({ file }) => file)))())[logits] as Float32Array;
      batch.forEach(({ file, top5 }, i) => {
        const row = outputs.subarray(i * 1001, (i + 1) * 1001);
        if (row.indexOf(Math.max(...row)) === top5[0]?.index) agreeing++;
        for (const { index, logit } of top5) {
          const difference = Math.abs((row[index] as number) - logit);
          largest = Math.max(largest, difference);
          assert.ok(difference <= 0.1, `${file}: logit ${index} is ${row[index]} instead of ${logit}`);
        }
      });
    }
    plan.dispose();
    t.diagnostic(`${agreeing} of 40 agree; largest difference of a logit ${largest.toFixed(4)}`);
    assert.ok(agreeing >= 39);
  });

  /** Ants and bees with the network that tells them apart after training, its new head untrained. */
  async function antsAndBees() {
    const files = new Map<string, string>();
    for (const entry of await readdir(HYMENOPTERA, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files.set(
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
        path,
      );
    }
    const data = await ingest(openArchive(HYMENOPTERA), {}, async () => undefined);
    assert.deepEqual(data.classes, ['ants', 'bees']);
    const samples = (split: string) =>
      data.pictures.filter((p) => p.split === split).map(({ hash, labelIndex }) => ({ hash, label: labelIndex }));
    // The whole picture, squeezed to 224 x 224.
    const model = await load({ ...PREPROCESSING, fit: 'stretch', cropFraction: 1 });
    const { network, weights } = replaceHead(model, { classes: data.classes, keepLayersAfterPooling: false, seed: 1 });
    const pictures = new DecodingPictureSource({
      read: (hash) => readFile(files.get(hash) as string),
      preprocessing: network.preprocessing,
    });
    const evaluate = (evaluated: Weights) =>
      evaluateNetwork({
        engine,
        network,
        pictures,
        weights: evaluated,
        samples: samples('validation'),
        classes: data.classes,
      });
    const train = (trained: Network, options: Partial<TrainingOptions>) =>
      trainNetwork({
        engine,
        network: trained,
        weights,
        pictures,
        train: samples('train'),
        // Without validation pictures, so that they choose nothing.
        validation: [],
        options: { ...DEFAULT_TRAINING_OPTIONS, ...options },
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
    return { network, weights, evaluate, train };
  }

  test('learns ants from bees with a new head on the frozen trunk', async (t) => {
    const { network, weights, evaluate, train } = await antsAndBees();
    const trunk = network.layers.map(({ name }) => name).filter((name) => !name.startsWith('head.'));
    const before = await evaluate(weights);
    const trained = await train(freeze(network, { names: trunk }), { epochs: 20 });
    const result = await evaluate(trained.last);
    t.diagnostic(`validation accuracy ${before.accuracy.toFixed(3)} before, ${result.accuracy.toFixed(3)} after`);
    assert.equal(result.pictures, 153);
    assert.ok(result.accuracy >= 0.91);
    const moved = [...weights.keys()].filter((name) => {
      const [start, end] = [weights.get(name)?.data, trained.last.get(name)?.data];
      return start?.some((value, i) => value !== end?.[i]);
    });
    assert.deepEqual(moved.sort(), ['head.classifier.bias', 'head.classifier.weight']);
  });

  test('fine-tuning its last blocks in mixed precision ends where float32 does', async (t) => {
    if (!engine.device.features.has('shader-f16')) return t.skip('this adapter lacks shader-f16');
    const { network, evaluate, train } = await antsAndBees();
    const convolutions = network.layers.filter(({ kind }) => kind === 'conv2d').length;
    let seen = 0;
    const lower = network.layers.filter(({ kind }) => kind === 'conv2d' && ++seen <= convolutions - 4);
    const trained = freeze(network, { names: lower.map(({ name }) => name) });
    const accuracy: Record<string, number> = {};
    for (const precision of ['float32', 'mixed'] as const) {
      const { last } = await train(trained, { precision, epochs: 3, learningRate: 3e-4, batchSize: 16 });
      accuracy[precision] = (await evaluate(last)).accuracy;
    }
    const { float32 = 0, mixed = 0 } = accuracy;
    t.diagnostic(`validation accuracy ${float32.toFixed(3)} in float32, ${mixed.toFixed(3)} in mixed precision`);
    assert.ok(float32 >= 0.85, 'three epochs have taught it something');
    // Two standard errors of an accuracy of 94 % on 153 pictures.
    assert.ok(Math.abs(mixed - float32) <= 2 * Math.sqrt((0.94 * 0.06) / 153));
  });
});
