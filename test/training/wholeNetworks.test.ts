import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { softmaxCrossEntropy } from '../../src/kernels/ops/losses/crossEntropy.js';
import { flatten } from '../../src/kernels/ops/flatten/flatten.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import { densenet } from '../../src/models/architectures/densenet.js';
import { mobilenetV2 } from '../../src/models/architectures/mobilenetV2.js';
import { resnet18 } from '../../src/models/architectures/resnet.js';
import { squeezenet } from '../../src/models/architectures/squeezenet.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { Network, Weights } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { DeviceWeights } from '../../src/training/deviceWeights.js';
import { buildForward } from '../../src/training/forward.js';
import { hasParameters, trainedWeights } from '../../src/training/partition.js';
import { tfjsStep } from './tfjsNetwork.js';

/** One forward and backward pass of a whole network on the engine, every layer trainable. */
async function ourStep(
  engine: Engine,
  network: Network,
  weights: Weights,
  x: Float32Array,
  shape: readonly number[],
  labels: readonly number[],
) {
  const b = new PlanBuilder(engine);
  const device = new DeviceWeights(engine, weights);
  const input = b.input('x', shape);
  const step = b.input('step', [4], { dtype: 'u32', layout: 'dense' });
  const target = b.input('labels', [labels.length], { dtype: 'u32', layout: 'dense' });
  const first = network.layers[0];
  const last = network.layers.at(-1);
  assert.ok(first && last);
  const values = buildForward(b, network, weights, device, {
    layers: network.layers,
    values: new Map([[first.name, input]]),
    keep: new Set([last.name]),
    mode: 'train',
    step,
    weightsAreFixed: false,
  });
  const raw = values.get(last.name);
  assert.ok(raw);
  const logits = raw.shape.length === 4 ? flatten(b, raw) : raw;
  const { loss } = softmaxCrossEntropy(b, logits, target, { labelSmoothing: 0 });
  const gradients = b.backward(loss);
  b.output('loss', loss);
  b.output('logits', logits);
  const names = network.layers.filter(hasParameters).flatMap((layer) => trainedWeights(layer).parameters);
  for (const name of names) {
    const gradient = gradients.get(b.persistent(device.get(name)));
    assert.ok(gradient, `no gradient for ${name}`);
    b.output(`gradient ${name}`, gradient);
  }
  const activations = network.layers.filter((layer) => layer.kind === 'activation').map((layer) => layer.name);
  for (const name of activations) {
    const value = values.get(name);
    assert.ok(value, `no value of ${name}`);
    b.output(`value ${name}`, value);
  }
  const plan = await b.compile({ poison: true });
  const outputs = await plan.run({ x, step: new Uint32Array(4), labels: Uint32Array.from(labels) })();
  plan.dispose();
  device.dispose();
  const byName = new Map(activations.map((name) => [name, outputs[`value ${name}`] as Float32Array]));
  return { outputs, names, activations: byName };
}

const squaredNorm = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);

/**
 * Difference in the L2 norm, relative to the gradient's norm, or to `floor` where that is larger: a bias in front of a batch norm
 * has a gradient of exactly zero, of which both engines give their rounding errors. The floor is a hundredth of the largest gradient
 * of the same layer.
 */
function relativeError(actual: Float32Array, expected: Float32Array, floor: number): number {
  assert.equal(actual.length, expected.length);
  const difference = actual.map((value, i) => value - (expected[i] as number));
  return Math.sqrt(squaredNorm(difference)) / Math.max(Math.sqrt(squaredNorm(expected)), floor);
}

const withoutDropout = (network: Network): Network => ({
  ...network,
  layers: network.layers.map((layer) => (layer.kind === 'dropout' ? { ...layer, rate: 0 } : layer)),
});

/**
 * With negative offsets in the batch norms. Where another batch norm follows (DenseNet), scale and offset of a channel whose ReLU
 * lets everything pass have gradients of exactly zero, of which both engines give their rounding errors.
 */
const withOffsets = (weights: Weights): Weights =>
  new Map(
    [...weights].map(([name, { shape, data }]) => [
      name,
      { shape, data: /norm\d\.bias$/.test(name) ? data.map((_, i) => 0.3 * Math.sin(i) - 1) : data },
    ]),
  );

describe('one training step of a whole network equals tfjs', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  const seed = Number(process.env.GRAFT_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const cases = [
    { name: 'MobileNet-v2', make: () => mobilenetV2({ inputSize: 64, classes: 10 }), side: 64, batch: 4 },
    {
      name: 'SqueezeNet 1.1',
      make: () => squeezenet({ version: '1.1', inputSize: 64, classes: 7 }),
      side: 64,
      batch: 3,
    },
    ...(
      [
        ['mobilenet_v3_small', 48],
        ['shufflenet_v2_x0_5', 48],
        ['mnasnet0_5', 48],
      ] as const
    ).map(([name, side]) => ({
      name,
      make: () => buildArchitecture(name, { inputSize: side, classes: 6 }),
      side,
      batch: 4,
    })),
    {
      name: 'a small DenseNet',
      make: () => densenet('densenet', { blocks: [2, 3], growthRate: 8, stemChannels: 16, inputSize: 32, classes: 5 }),
      side: 32,
      batch: 3,
    },
    { name: 'ResNet-18', make: () => resnet18({ inputSize: 48, classes: 5 }), side: 48, batch: 2 },
  ];
  for (const { name, make, side, batch } of cases) {
    test(`${name}, batch ${batch}, ${side} px`, async (t) => {
      t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
      const network = withoutDropout(make());
      const fresh = initializeWeights(network, seed);
      const weights = network.architecture === 'densenet' ? withOffsets(fresh) : fresh;
      let state = seed >>> 0;
      const random = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32 - 0.5;
      };
      const shape = [batch, 3, side, side] as const;
      const x = Float32Array.from({ length: batch * 3 * side * side }, () => 2 * random());
      const classes = network.classes?.length ?? 5;
      const labels = Array.from({ length: batch }, (_, i) => i % classes);
      const { outputs, names, activations } = await ourStep(engine, network, weights, x, shape, labels);
      const expected = await tfjsStep(network, weights, x, shape, labels, activations);
      assert.ok(Math.abs((outputs.loss?.[0] as number) - expected.loss) < 1e-3 * Math.abs(expected.loss));
      assert.ok(names.length > 20);
      const layerOf = (parameter: string) => parameter.slice(0, parameter.lastIndexOf('.'));
      const largest = new Map<string, number>();
      for (const [parameter, gradient] of expected.gradients) {
        const norm = Math.sqrt(squaredNorm(gradient));
        largest.set(layerOf(parameter), Math.max(norm, largest.get(layerOf(parameter)) ?? 0));
      }
      const worst = names
        .map((parameter) => ({
          parameter,
          error: relativeError(
            outputs[`gradient ${parameter}`] as Float32Array,
            expected.gradients.get(parameter) as Float32Array,
            0.01 * (largest.get(layerOf(parameter)) ?? 0),
          ),
        }))
        .sort((a, b) => b.error - a.error);
      t.diagnostic(`worst: ${worst[0]?.parameter} ${worst[0]?.error.toExponential(2)}`);
      for (const { parameter, error } of worst) assert.ok(error < 1e-3, `${parameter}: ${error}`);
    });
  }
});
