import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import { NetworkBuilder } from '../../src/models/builder.js';
import type { Network } from '../../src/models/network.js';
import { unitPreprocessing } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { DeviceWeights } from '../../src/training/deviceWeights.js';
import { buildForward } from '../../src/training/forward.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { freshSeed, randomWeights, uniform } from '../models/fixtures.js';

const BATCH = 64;
const SIZE = 3 * 4 * 4;
const RATE = 0.25;

/** x + stochasticDepth(conv(x)). */
function residualNetwork(): Network {
  const b = new NetworkBuilder('residual', unitPreprocessing(4, 4));
  b.conv('branch', { out: 3, kernel: 3, padding: 1 });
  b.stochasticDepth('depth', RATE);
  b.add('sum', b.last, 'input');
  return b.build();
}

const frozen = (network: Network, names: readonly string[]): Network => ({
  ...network,
  layers: network.layers.map((layer) => (names.includes(layer.name) ? { ...layer, learningRateFactor: 0 } : layer)),
});

describe('stochastic depth', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  async function run(network: Network, mode: 'train' | 'eval', seed: number, step = 0): Promise<Float32Array> {
    const random = new Random(seed);
    const weights = randomWeights(network, random);
    const device = new DeviceWeights(engine, weights);
    const b = new PlanBuilder(engine);
    const values = buildForward(b, network, weights, device, {
      layers: network.layers,
      values: new Map([['input', b.input('x', [BATCH, 3, 4, 4])]]),
      keep: new Set(['sum']),
      mode,
      step: b.input('step', [4], { dtype: 'u32', layout: 'dense' }),
      weightsAreFixed: mode === 'eval',
    });
    b.output('y', values.get('sum') as Tensor);
    const plan = await b.compile({ poison: true });
    const x = uniform(random, BATCH * SIZE);
    const { y } = await plan.run({ x, step: Uint32Array.of(seed, step, 0, 0) })();
    plan.dispose();
    device.dispose();
    return (y as Float32Array).map((value, i) => value - (x[i] as number));
  }

  test('leaves the branch out for some pictures, others at other steps, and makes up for it in the rest', async (t) => {
    const seed = freshSeed(t);
    const branch = await run(residualNetwork(), 'eval', seed);
    const masks = [];
    for (const step of [0, 1]) {
      const trained = await run(residualNetwork(), 'train', seed, step);
      const kept = Array.from({ length: BATCH }, (_, picture) => {
        const at = picture * SIZE;
        const isKept = trained.slice(at, at + SIZE).some((value) => Math.abs(value) > 1e-6);
        for (let i = at; i < at + SIZE; i++) {
          const expected = isKept ? (branch[i] as number) / (1 - RATE) : 0;
          assert.ok(
            Math.abs((trained[i] as number) - expected) < 1e-5,
            `picture ${picture}: ${trained[i]}, ${expected}`,
          );
        }
        return isKept;
      });
      const count = kept.filter(Boolean).length;
      const slack = 5 * Math.sqrt(BATCH * RATE * (1 - RATE));
      assert.ok(Math.abs(count - (1 - RATE) * BATCH) < slack, `${count} of ${BATCH} kept`);
      masks.push(kept);
    }
    assert.notDeepEqual(masks[0], masks[1]);
  });

  test('does nothing where it is frozen', async (t) => {
    const seed = freshSeed(t);
    const branch = await run(residualNetwork(), 'eval', seed);
    const trained = await run(frozen(residualNetwork(), ['depth']), 'train', seed);
    trained.forEach((value, i) => assert.ok(Math.abs(value - (branch[i] as number)) < 1e-5));
  });

  test('a frozen EfficientNet stays a trunk below its classifier', () => {
    const network = buildArchitecture('efficientnet_b0', { inputSize: 32 });
    const isBelow = (name: string) => !name.startsWith('classifier');
    const names = network.layers.filter(({ kind, name }) => isBelow(name) && kind !== 'stochasticDepth');
    const { head } = partitionNetwork(
      frozen(
        network,
        names.map(({ name }) => name),
      ),
    );
    assert.deepEqual(
      head.map(({ name }) => name),
      ['classifier.0', 'classifier.1'],
    );
  });
});
