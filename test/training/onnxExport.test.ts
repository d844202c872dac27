import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { mobilenetV2 } from '../../src/models/architectures/mobilenetV2.js';
import { resnet18 } from '../../src/models/architectures/resnet.js';
import { squeezenet } from '../../src/models/architectures/squeezenet.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import { initializeWeights } from '../../src/models/initialize.js';
import { Random } from '../../src/models/random.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { freshSeed, relativeError, uniform } from '../models/fixtures.js';
import { onnxOutput } from '../models/onnxRuntime.js';
import { engineOutput } from './engineOutput.js';

describe('ONNX Runtime computes from an exported network what the engine computes', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  const cases = [
    { name: 'MobileNet-v2', network: mobilenetV2({ inputSize: 64, classes: 10 }), side: 64 },
    { name: 'SqueezeNet 1.0', network: squeezenet({ version: '1.0', inputSize: 64, classes: 7 }), side: 64 },
    { name: 'ResNet-18', network: resnet18({ inputSize: 48, classes: 5 }), side: 48 },
  ];
  for (const { name, network, side } of cases) {
    test(name, async (t) => {
      const seed = freshSeed(t);
      const model = { network, weights: initializeWeights(network, seed) };
      const shape = [2, 3, side, side];
      const x = uniform(new Random(seed), 2 * 3 * side * side);
      const expected = await onnxOutput(exportOnnx(model), shape, x);
      const error = relativeError(await engineOutput(engine, model, shape, x), expected.data);
      assert.ok(error < 1e-4, `${error}`);
    });
  }
});
