import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { dense } from '../../src/kernels/ops/dense/dense.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { NetworkBuilder } from '../../src/models/builder.js';
import type { DenseLayer, WeightTensor } from '../../src/models/network.js';
import { unitPreprocessing } from '../../src/models/preprocessing.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { denseInParts, exceedsBinding } from '../../src/training/denseParts.js';
import { DeviceWeights } from '../../src/training/deviceWeights.js';
import { assertClose } from '../kernels/checkOp.js';
import { engineOutput } from './engineOutput.js';
import { freshSeed, seeded } from './fixtures.js';

const seed = freshSeed();

describe(`dense layers in parts, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  const random = seeded(seed);
  const tensor = (...shape: number[]): WeightTensor => {
    const length = shape.reduce((product, size) => product * size, 1);
    return { shape, data: Float32Array.from({ length }, () => 2 * random() - 1) };
  };
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  const layer: DenseLayer = {
    kind: 'dense',
    name: 'fc',
    inputs: ['x'],
    learningRateFactor: 0,
    outFeatures: 11,
    weight: 'fc.weight',
    bias: 'fc.bias',
  };

  // Of 11 rows of 9 values: 4 rows a part, one row, all.
  for (const limit of [4 * 9 * 4 + 3, 1, 4 * 9 * 11]) {
    test(`values and gradient are those of the whole, with parts of at most ${limit} bytes`, async () => {
      const weights = new Map([
        ['fc.weight', tensor(11, 9)],
        ['fc.bias', tensor(11)],
      ]);
      const run = async (build: (b: PlanBuilder, x: Tensor, device: DeviceWeights) => Tensor) => {
        const b = new PlanBuilder(engine);
        const device = new DeviceWeights(engine, weights);
        const x = b.input('x', [3, 9], { requiresGradient: true });
        const y = build(b, x, device);
        b.output('y', y);
        b.output('dx', b.backward(y, b.input('dy', [3, 11])).get(x) as Tensor);
        const plan = await b.compile({ poison: true });
        const outputs = await plan.run(given)();
        plan.dispose();
        device.dispose();
        return outputs;
      };
      const given = { x: tensor(3, 9).data, dy: tensor(3, 11).data };
      const parts = await run((b, x, device) => {
        assert.equal(exceedsBinding(b, layer, weights, limit), limit < 4 * 9 * 11);
        return denseInParts(b, layer, x, device, weights, 'relu', limit);
      });
      const whole = await run((b, x, device) => {
        const bias = b.persistent(device.get('fc.bias'));
        return dense(b, x, b.persistent(device.get('fc.weight')), { bias, activation: 'relu' });
      });
      assertClose(parts.y as Float32Array, whole.y as Float32Array, 'y', 1e-6);
      assertClose(parts.dx as Float32Array, whole.dx as Float32Array, 'dx', 1e-6);
    });
  }

  test('a network with a weight larger than what the adapter binds at once is computed', async (t) => {
    const limit = engine.device.limits.maxStorageBufferBindingSize;
    if (limit > 2 ** 28) return t.skip(`this adapter binds ${limit} bytes at once, too many to exceed in a test`);
    const side = 64;
    const features = 3 * side * side;
    const outputs = Math.ceil((1.05 * limit) / (4 * features));
    const b = new NetworkBuilder('large', unitPreprocessing(side, side));
    b.flatten('flatten');
    b.dense('fc', outputs);
    const data = new Float32Array(outputs * features);
    // Sparse, so that the test knows the products: row r has two values.
    const places = Array.from({ length: outputs }, () => [
      Math.floor(random() * features),
      Math.floor(random() * features),
    ]);
    places.forEach(([first = 0, second = 0], row) => {
      data[row * features + first] = 2;
      data[row * features + second] = -1;
    });
    const bias = tensor(outputs);
    const weights = new Map([
      ['fc.weight', { shape: [outputs, features], data }],
      ['fc.bias', bias],
    ]);
    const x = tensor(features).data;
    const y = await engineOutput(engine, { network: b.build(), weights }, [1, 3, side, side], x);
    const expected = places.map(([first = 0, second = 0], row) => {
      const sum = first === second ? -x[second]! : 2 * x[first]! - x[second]!;
      return sum + bias.data[row]!;
    });
    assertClose(y, expected, 'outputs', 1e-5);
  });
});
