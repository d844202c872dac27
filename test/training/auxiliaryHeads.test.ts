import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { NetworkBuilder } from '../../src/models/builder.js';
import { freeze } from '../../src/models/surgery.js';
import type { Network, Weights } from '../../src/models/network.js';
import { unitPreprocessing } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { TrainableHead } from '../../src/training/head.js';
import { uploadedPictures } from '../../src/training/headInputs.js';
import { InferencePlan } from '../../src/training/inference.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { trainNetwork } from '../../src/training/trainer.js';
import { DEFAULT_TRAINING_OPTIONS, type ProgressEvent, type TrainingOptions } from '../../src/training/types.js';
import { assertClose } from '../kernels/checkOp.js';
import { randomWeights } from '../models/fixtures.js';
import { colourPictures, freshSeed, seeded } from './fixtures.js';
import { tfjsStep } from './tfjsNetwork.js';

const CLASSES = ['red', 'green', 'blue'];
const SIDE = 12;
const AUXILIARY = ['aux1', 'aux2'];

/** Three convolutions, with an auxiliary head behind the first and another behind the second; smooth everywhere. */
function twoHeads(): Network {
  const b = new NetworkBuilder('two heads', unitPreprocessing(SIDE, SIDE));
  b.conv('conv1', { out: 5, kernel: 3, stride: 2, padding: 1 });
  const first = b.activation('tanh1', 'tanh');
  b.averagePool('aux1.pool', { kernel: 3, stride: 3 });
  b.conv('aux1.conv', { out: 4, kernel: 1, bias: true });
  b.activation('aux1.tanh', 'tanh');
  b.globalAveragePool('aux1.mean');
  b.dense('aux1.fc', CLASSES.length);
  b.auxiliary(0.3);
  b.conv('conv2', { out: 6, kernel: 3, padding: 1 }, first);
  const second = b.activation('tanh2', 'tanh');
  b.globalAveragePool('aux2.mean');
  b.dense('aux2.fc', CLASSES.length);
  b.auxiliary(0.4);
  b.conv('conv3', { out: 6, kernel: 1, bias: true }, second);
  b.activation('tanh3', 'tanh');
  b.globalAveragePool('pool');
  b.dense('fc', CLASSES.length);
  return { ...b.build(), classes: CLASSES };
}

const without = (network: Network): Network => ({ ...network, auxiliary: [] });

const seed = freshSeed();

describe(`auxiliary heads, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  const random = seeded(seed);
  const network = twoHeads();
  const weights = randomWeights(network, new Random(seed));
  const { samples, source } = colourPictures(24, 3, random, 'p');
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  /** One step of plain gradient descent with rate 1 on the first six pictures. */
  async function step(given: Network) {
    const options = { ...DEFAULT_TRAINING_OPTIONS, optimizer: 'sgd', momentum: 0, weightDecay: 0 } as const;
    const partition = partitionNetwork(given);
    assert.deepEqual(partition.boundary, ['input']);
    const head = new TrainableHead(engine, given, weights, partition, uploadedPictures(given), options);
    const batch = samples.slice(0, 6);
    await head.compile([batch.length], true);
    const pictures = await source.load(batch.map(({ hash }) => hash));
    const labels = Uint32Array.from(batch, ({ label }) => label);
    const evaluated = await head.evaluateBatch({ pictures }, labels)();
    const { loss } = await head.trainStep({ pictures }, labels, 1)();
    const learned = await head.snapshot();
    head.dispose();
    return { loss, evaluated: evaluated.lossSum / batch.length, learned, pictures, labels: [...labels] };
  }

  test('loss and gradients are those of the logits and the weighted auxiliary ones together', async () => {
    const { loss, learned, pictures, labels } = await step(network);
    const x = new Float32Array(pictures.length);
    const pixels = SIDE * SIDE;
    for (let i = 0; i < x.length; i++) {
      const [n, pixel, c] = [Math.floor(i / (3 * pixels)), Math.floor(i / 3) % pixels, i % 3];
      x[(n * 3 + c) * pixels + pixel] = (pictures[i] as number) / 255;
    }
    const expected = await tfjsStep(network, weights, x, [labels.length, 3, SIDE, SIDE], labels, new Map());
    assertClose([loss], [expected.loss], 'loss', 1e-5);
    assert.equal(expected.gradients.size, weights.size);
    for (const [name, gradient] of expected.gradients) {
      const before = weights.get(name)?.data as Float32Array;
      const after = learned.get(name)?.data as Float32Array;
      assertClose(
        before.map((value, i) => value - (after[i] as number)),
        gradient,
        name,
        1e-5,
      );
    }
    const main = await step(without(network));
    assert.ok(loss > main.loss + 0.1);
  });

  test('evaluation knows nothing of them, and prediction computes nothing for them', async () => {
    const [withHeads, main] = [await step(network), await step(without(network))];
    assert.equal(withHeads.evaluated, main.evaluated);
    assertClose([main.loss], [main.evaluated], 'loss', 1e-5);
    const compile = (given: Network) =>
      InferencePlan.compile(engine, given, weights, { batchSize: 2, layers: [], probabilities: true });
    const plans = [await compile(network), await compile({ ...without(network), layers: mainLayers(network) })];
    assert.equal(plans[0]?.dispatchCount, plans[1]?.dispatchCount);
    for (const plan of plans) plan.dispose();
  });

  async function run(given: Network, options: Partial<TrainingOptions>) {
    const events: ProgressEvent[] = [];
    const { last } = await trainNetwork({
      engine,
      network: given,
      weights,
      train: samples.slice(0, 18),
      validation: samples.slice(18),
      pictures: source,
      options: {
        ...DEFAULT_TRAINING_OPTIONS,
        optimizer: 'sgd',
        batchSize: 9,
        epochs: 2,
        learningRate: 0.1,
        ...options,
      },
      signal: new AbortController().signal,
      onProgress: (event) => void events.push(event),
    });
    const losses = events.flatMap((event) => (event.type === 'epoch' ? [event.trainLoss] : []));
    const compiled = events.find((event) => event.type === 'compiled');
    assert.ok(compiled?.type === 'compiled');
    return { last, losses, compiled };
  }

  const data = (from: Weights, name: string) => from.get(name)?.data as Float32Array;

  test('one on frozen layers trains itself alone, from cached features or not', async () => {
    const half = freeze(network, { names: ['conv1', 'conv2'] });
    const partition = partitionNetwork(half);
    assert.deepEqual(partition.boundary, ['aux1.pool', 'tanh2', 'aux2.mean']);
    assert.deepEqual(
      partition.auxiliary.map(({ layer }) => layer),
      ['aux1.fc', 'aux2.fc'],
    );
    const cached = await run(half, { cacheFeatures: true });
    const computed = await run(half, { cacheFeatures: false });
    assert.deepEqual(cached.last, computed.last);
    assert.deepEqual(cached.losses, computed.losses);
    const main = await run({ ...without(half), layers: mainLayers(half) }, {});
    for (const name of weights.keys()) {
      const isAuxiliary = AUXILIARY.some((head) => name.startsWith(`${head}.`));
      if (isAuxiliary) assert.notDeepEqual(data(cached.last, name), data(weights, name));
      else assertClose(data(cached.last, name), data(main.last, name), name, 1e-6);
    }
  });

  test('a frozen one on frozen layers is left out, one on layers that train is not', () => {
    const half = freeze(network, { names: ['conv1', 'conv2', 'aux1.conv', 'aux1.fc', 'aux2.fc'] });
    const partition = partitionNetwork(half);
    assert.deepEqual(partition, partitionNetwork({ ...without(half), layers: mainLayers(half) }));
    assert.deepEqual(partition.boundary, ['tanh2']);
    const heads = freeze(network, { names: ['aux1.conv', 'aux1.fc', 'conv1'] });
    assert.deepEqual(
      partitionNetwork(heads).auxiliary.map(({ layer }) => layer),
      ['aux2.fc'],
    );
    const steering = freeze(network, { names: ['aux2.fc'] });
    assert.equal(partitionNetwork(steering).auxiliary.length, 2);
  });

  test('a frozen one steers the layers below it', async () => {
    const steering = freeze(network, { names: ['aux2.fc'] });
    const [steered, whole] = [
      await run(steering, { epochs: 1, batchSize: 18 }),
      await run(without(network), { epochs: 1 }),
    ];
    assert.deepEqual(data(steered.last, 'aux2.fc.weight'), data(weights, 'aux2.fc.weight'));
    assert.notDeepEqual(data(steered.last, 'conv2.weight'), data(whole.last, 'conv2.weight'));
  });

  test('where they alone train, they do', async () => {
    const names = ['conv1', 'conv2', 'conv3', 'fc'];
    const { last, losses } = await run(freeze(network, { names }), {});
    for (const name of weights.keys()) {
      const isSame = Buffer.from(data(last, name).buffer).equals(Buffer.from(data(weights, name).buffer));
      assert.equal(isSame, names.includes(name.split('.')[0] as string), name);
    }
    assert.ok((losses[1] as number) < (losses[0] as number));
  });

  test('parts of a batch give what the batch gives', async () => {
    const whole = await run(network, {});
    // Something else on the device leaves nine tenths of what the batch takes in one part.
    const ballast = engine.createTensor('ballast', [Math.ceil((2 ** 20 - 0.9 * whole.compiled.deviceBytes) / 4)]);
    const parts = await run(network, { memoryLimitMiB: 1 });
    engine.destroyTensor(ballast);
    assert.ok(parts.compiled.parts > 1);
    for (const [name, { data: expected }] of whole.last) assertClose(data(parts.last, name), expected, name, 1e-5);
    assertClose(parts.losses, whole.losses, 'losses', 1e-5);
  });

  test('activations that are computed again give the same bits', async () => {
    const [kept, again] = [await run(network, {}), await run(network, { recomputeActivations: true })];
    assert.deepEqual(again.last, kept.last);
    assert.deepEqual(again.losses, kept.losses);
  });
});

function mainLayers(network: Network): Network['layers'] {
  return network.layers.filter(({ name }) => !AUXILIARY.some((head) => name.startsWith(`${head}.`)));
}
