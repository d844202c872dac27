import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { Network } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { TrainableHead } from '../../src/training/head.js';
import { uploadedPictures, uploadedValues } from '../../src/training/headInputs.js';
import { InferencePlan, inferenceBatchSize } from '../../src/training/inference.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { DEFAULT_TRAINING_OPTIONS, type TrainingOptions } from '../../src/training/types.js';
import { frozen } from './fixtures.js';

const MIB = 2 ** 20;

describe('GPU memory that a run takes, told before', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  const headOf = (network: Network, given: Partial<TrainingOptions>): TrainableHead => {
    const options = { ...DEFAULT_TRAINING_OPTIONS, ...given };
    const source = uploadedPictures(network);
    return new TrainableHead(
      engine,
      network,
      initializeWeights(network, 1),
      partitionNetwork(network),
      source,
      options,
    );
  };

  test('is what the device then holds', async () => {
    for (const recomputeActivations of [false, true]) {
      const head = headOf(buildArchitecture('squeezenet1_1', { inputSize: 64, classes: 3 }), { recomputeActivations });
      const estimate = head.estimateBytes([6, 5], true);
      assert.deepEqual(engine.memory, { buffers: 0, bytes: 0 }, 'an estimate leaves nothing');
      const { deviceBytes } = await head.compile([6, 5], true);
      // What the estimate holds ready besides is for a second reading of the outputs.
      assert.ok(deviceBytes <= estimate && deviceBytes > estimate - 1024, `${deviceBytes} of ${estimate} bytes`);
      head.dispose();
    }
  });

  test('ResNet-50 at 224 pixels, batch 8, every layer training: less than 2 GiB', (t) => {
    for (const [given, most] of [
      [{}, 2048],
      [{ recomputeActivations: true }, 1024],
    ] as const) {
      const bytes = headOf(buildArchitecture('resnet50', { classes: 10 }), given).estimateBytes([8], true);
      t.diagnostic(`${JSON.stringify(given)}: ${(bytes / MIB).toFixed(0)} MiB`);
      assert.ok(bytes < most * MIB, `${bytes} bytes`);
    }
  });

  test('the head of MobileNet-v2 at 224 pixels: less than 512 MiB, its frozen trunk included', async (t) => {
    const network = buildArchitecture('mobilenet_v2', { classes: 10 });
    const trunk = network.layers.filter(({ name }) => !name.startsWith('classifier')).map(({ name }) => name);
    const trained = frozen(network, trunk);
    const partition = partitionNetwork(trained);
    const weights = initializeWeights(trained, 1);
    const plan = await InferencePlan.compile(engine, trained, weights, {
      batchSize: inferenceBatchSize(engine),
      layers: partition.boundary,
    });
    const options = { ...DEFAULT_TRAINING_OPTIONS, batchSize: 32 };
    const head = new TrainableHead(engine, trained, weights, partition, uploadedValues(plan.shapes), options);
    const { deviceBytes } = await head.compile([32, 7], true);
    t.diagnostic(`${(deviceBytes / MIB).toFixed(0)} MiB`);
    assert.ok(deviceBytes < 512 * MIB);
    head.dispose();
    plan.dispose();
  });
});
