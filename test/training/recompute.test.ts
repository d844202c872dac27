import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { softmaxCrossEntropy } from '../../src/kernels/ops/losses/crossEntropy.js';
import { flatten } from '../../src/kernels/ops/flatten/flatten.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import type { ArchitectureOptions } from '../../src/models/architectures/registry.js';
import { googlenet } from '../../src/models/architectures/googlenet.js';
import { mobilenetV2 } from '../../src/models/architectures/mobilenetV2.js';
import { resnet18 } from '../../src/models/architectures/resnet.js';
import { squeezenet } from '../../src/models/architectures/squeezenet.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { Layer, Network } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { DeviceWeights } from '../../src/training/deviceWeights.js';
import { buildForward } from '../../src/training/forward.js';
import { trainedWeights } from '../../src/training/partition.js';
import { cutAtBottlenecks, joinSegments } from '../../src/training/segments.js';
import { freshSeed, seeded } from './fixtures.js';

const seed = freshSeed();
const random = seeded(seed);

describe(`activations that are computed again, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  /** One step with every layer training; `outputs`: loss and all gradients. */
  function build(network: Network, batch: number, side: number, recompute: boolean) {
    const weights = initializeWeights(network, 3);
    const device = new DeviceWeights(engine, weights);
    const b = new PlanBuilder(engine);
    const last = network.layers.at(-1) as Layer;
    const values = buildForward(b, network, weights, device, {
      layers: network.layers,
      values: new Map([[network.layers[0]?.name as string, b.input('x', [batch, 3, side, side])]]),
      keep: new Set([last.name]),
      mode: 'train',
      step: b.input('step', [4], { dtype: 'u32', layout: 'dense' }),
      weightsAreFixed: false,
      recompute,
    });
    const raw = values.get(last.name) as Tensor;
    const labels = b.input('labels', [batch], { dtype: 'u32', layout: 'dense' });
    const { loss } = softmaxCrossEntropy(b, raw.shape.length === 4 ? flatten(b, raw) : raw, labels, {
      labelSmoothing: 0,
    });
    const gradients = b.backward(loss);
    b.output('loss', loss);
    const trained = network.layers.map(trainedWeights);
    const { temporaries } = b.memory();
    for (const name of trained.flatMap(({ parameters }) => parameters)) {
      b.output(name, gradients.get(b.persistent(device.get(name))) as Tensor);
    }
    return { b, device, temporaries, statistics: trained.flatMap((names) => names.statistics) };
  }

  async function step(network: Network, x: Float32Array, batch: number, side: number, recompute: boolean) {
    const { b, device, statistics } = build(network, batch, side, recompute);
    const plan = await b.compile();
    const outputs = await plan.run({
      x,
      step: Uint32Array.of(7, 1, 0, 0),
      labels: Uint32Array.from({ length: batch }, (_, i) => i),
    })();
    const moved = await device.read(statistics);
    plan.dispose();
    device.dispose();
    return { outputs, moved };
  }

  for (const [name, make, share] of [
    ['MobileNet-v2', mobilenetV2, 0.6],
    ['ResNet-18', resnet18, 0.9],
    ['SqueezeNet 1.1', (options: ArchitectureOptions) => squeezenet({ version: '1.1', ...options }), 0.8],
  ] as const) {
    test(`${name}: the same bits`, async () => {
      const [batch, side] = [3, 48];
      const network = make({ inputSize: side, classes: 4 });
      const x = Float32Array.from({ length: batch * 3 * side * side }, () => 2 * random() - 1);
      const kept = await step(network, x, batch, side, false);
      const again = await step(network, x, batch, side, true);
      assert.ok(Object.keys(kept.outputs).length > 20);
      assert.deepEqual(again.outputs, kept.outputs);
      assert.deepEqual(again.moved, kept.moved);
    });

    test(`${name}: less memory at 224 pixels and 8 pictures`, (t) => {
      const [kept, again] = [false, true].map((recompute) => {
        const { device, temporaries } = build(make({ inputSize: 224, classes: 4 }), 8, 224, recompute);
        device.dispose();
        return temporaries;
      }) as [number, number];
      t.diagnostic(`${(again / kept).toFixed(2)} of ${(kept / 2 ** 20).toFixed(0)} MiB`);
      assert.ok(again < share * kept, `${again} of ${kept} bytes`);
    });
  }

  function checkSegments(segments: readonly Layer[][], keep: ReadonlySet<string>): void {
    segments.forEach((segment, index) => {
      const inside = new Set(segment.map(({ name }) => name));
      const later = segments.slice(index + 1).flat();
      const read = [...later.flatMap(({ inputs }) => inputs), ...keep].filter((name) => inside.has(name));
      assert.ok(new Set(read).size === 1, `segment ${index} hands on ${[...read].join(', ')}`);
      assert.equal(read[0], segment.at(-1)?.name);
    });
  }

  test('segments begin where one value goes on, and hold every layer once', () => {
    const { layers } = resnet18({ inputSize: 48, classes: 4 });
    const keep = new Set([layers.at(-1)?.name as string]);
    const segments = cutAtBottlenecks(layers, keep);
    assert.deepEqual(segments.flat(), layers);
    // The stem, its pooling, eight blocks, and the classifier's parts.
    assert.ok(segments.length >= 10);
    checkSegments(segments, keep);
    const joined = joinSegments(segments, () => 1, keep);
    assert.deepEqual(joined.flat(), layers);
    assert.ok(joined.length > 1 && joined.length < segments.length);
  });

  test('auxiliary heads are segments of their own', () => {
    const { layers, auxiliary } = googlenet({ inputSize: 64, classes: 4 });
    const keep = new Set([layers.at(-1)?.name as string, ...auxiliary.map(({ layer }) => layer)]);
    const segments = cutAtBottlenecks(layers, keep);
    checkSegments(segments, keep);
    // The cuts are those of the network without them, and one behind each.
    const bare = googlenet({ inputSize: 64, classes: 4, auxiliaryHeads: false }).layers;
    const without = cutAtBottlenecks(bare, new Set([bare.at(-1)?.name as string]));
    assert.equal(segments.length, without.length + auxiliary.length);
    const joined = joinSegments(segments, () => 1, keep);
    assert.deepEqual(joined.flat(), layers);
    checkSegments(joined, keep);
    assert.ok(joined.length < segments.length);
  });
});
