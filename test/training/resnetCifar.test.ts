import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { resnetCifar } from '../../src/models/architectures/resnetCifar.js';
import { importModel } from '../../src/models/detect.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { assertClose, throwsModelError } from '../models/fixtures.js';
import { onnxOutput } from '../models/onnxRuntime.js';
import { reproducibleInput, reproducibleWeights } from '../models/torchvision/facts.js';
import { engineOutput } from './engineOutput.js';

/** What PyTorch computes: `resnetCifar.py` beside it wrote this. */
const FACTS = JSON.parse(readFileSync('test/models/torchvision/resnetCifar.json', 'utf8')) as {
  readonly reproducible: Readonly<Record<string, readonly number[]>>;
  readonly checkpoint: readonly number[];
};
const SHAPE = [2, 3, 32, 32];
const CHECKPOINT = '../shared/weights/resnet20_cifar10/resnet20-12fca82f.th';

describe('ResNets for CIFAR compute what PyTorch computes', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  for (const depth of [20, 32]) {
    test(`depth ${depth}, on the engine and exported to ONNX`, async () => {
      const network = resnetCifar({ depth });
      const model = { network, weights: reproducibleWeights(network) };
      const x = reproducibleInput(SHAPE);
      const expected = FACTS.reproducible[depth] as readonly number[];
      assertClose(await engineOutput(engine, model, SHAPE, x), expected, 1e-4);
      assertClose((await onnxOutput(exportOnnx(model), SHAPE, x)).data, expected, 1e-4);
    });
  }

  const skip = existsSync(CHECKPOINT) ? false : `${CHECKPOINT} is not there`;
  test('the published checkpoint of ResNet-20', { skip }, async () => {
    const model = importModel({ 'upload-1': new Uint8Array(readFileSync(CHECKPOINT)) });
    assert.deepEqual([model.format, model.network.architecture], ['pytorch', 'resnet20_cifar']);
    assert.deepEqual([model.network.preprocessing.height, model.network.preprocessing.width], [32, 32]);
    assertClose(await engineOutput(engine, model, SHAPE, reproducibleInput(SHAPE)), FACTS.checkpoint, 1e-4);
  });

  test('other depths are refused', () => {
    for (const depth of [18, 2, 20.5, Number.NaN, 60_002]) {
      throwsModelError(() => resnetCifar({ depth }), 'INVALID_ARGUMENT', /6n \+ 2/);
    }
  });
});
