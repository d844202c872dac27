import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { adaptInputChannels } from '../../src/models/inputChannels.js';
import { normalized } from '../../src/models/preprocessing.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { TrainingError } from '../../src/training/errors.js';
import { InferencePlan, pictureInput } from '../../src/training/inference.js';
import { trainNetwork } from '../../src/training/trainer.js';
import { DEFAULT_TRAINING_OPTIONS } from '../../src/training/types.js';
import { assertClose } from '../kernels/checkOp.js';
import { colourPictures, freshSeed, seeded, smallNetwork } from './fixtures.js';

const seed = freshSeed();

describe(`networks that read grey pictures, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  const random = seeded(seed);
  const colour = smallNetwork(['red', 'green', 'blue'], random);
  const grey = adaptInputChannels(colour, 1);
  const { samples, source } = colourPictures(8, 3, random, 'p');
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  async function probabilities(model: typeof grey, pictures: typeof source): Promise<Float32Array> {
    const plan = await InferencePlan.compile(engine, model.network, model.weights, {
      batchSize: 4,
      layers: [],
      probabilities: true,
    });
    const all: number[] = [];
    await plan.runAll(samples, pictures, (batch, values) => {
      all.push(...(values.probabilities as Float32Array).subarray(0, batch.length * 3));
      return true;
    });
    plan.dispose();
    return Float32Array.from(all);
  }

  test('they predict what the network in colour does of the same pictures made grey', async () => {
    const greyed = {
      async load(hashes: readonly string[]) {
        const bytes = Uint8Array.from(await source.load(hashes));
        for (let i = 0; i < bytes.length; i += 3) bytes[i + 1] = bytes[i + 2] = bytes[i] as number;
        return bytes;
      },
    };
    assertClose(await probabilities(grey, greyed), await probabilities(colour, greyed), 'probabilities', 1e-5);
    assert.notDeepEqual(await probabilities(grey, source), await probabilities(grey, greyed));
  });

  test('the values that exports are compared with are those of the device', async () => {
    for (const { network } of [colour, grey]) {
      const b = new PlanBuilder(engine);
      b.output('x', pictureInput(b, network, samples.length));
      const plan = await b.compile();
      const pictures = await source.load(samples.map(({ hash }) => hash));
      const { x } = await plan.run({ pictures })();
      plan.dispose();
      assertClose(x as Float32Array, normalized(pictures, network.preprocessing), 'values', 1e-6);
    }
  });

  test('they train', async () => {
    const { last } = await trainNetwork({
      engine,
      ...grey,
      train: samples,
      validation: samples,
      pictures: source,
      options: { ...DEFAULT_TRAINING_OPTIONS, batchSize: 4, epochs: 1 },
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    const { data, shape } = last.get('conv1.weight') ?? {};
    assert.equal(shape?.[1], 1);
    assert.notDeepEqual(data, grey.weights.get('conv1.weight')?.data);
  });

  test('other numbers of channels say that pictures have no such', async () => {
    const two = adaptInputChannels(colour, 2);
    await assert.rejects(probabilities(two, source), (error: unknown) => {
      assert.ok(error instanceof TrainingError && error.code === 'INVALID_NETWORK');
      assert.match(error.message, /makes 3 x 12 x 12; the network reads 2 x 12 x 12/);
      return true;
    });
  });
});
