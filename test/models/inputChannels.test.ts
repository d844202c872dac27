import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import { NetworkBuilder } from '../../src/models/builder.js';
import type { Model } from '../../src/models/graph.js';
import { initializeWeights } from '../../src/models/initialize.js';
import { adaptInputChannels } from '../../src/models/inputChannels.js';
import { symmetricPreprocessing } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { validateNetwork } from '../../src/models/validate.js';
import { assertClose, freshSeed, randomWeights, throwsModelError, tinyNetwork, uniform } from './fixtures.js';
import { referenceOutput } from './reference.js';

const PIXELS = 81;
const outputOf = ({ network, weights }: Model, x: Float32Array) => referenceOutput(network, weights, x).data;
/** The planes one after the other. */
const stack = (...planes: readonly Float32Array[]) => Float32Array.from(planes.flatMap((plane) => [...plane]));

describe('another number of input channels', () => {
  test('a grey picture gives what it gave in colour', (t) => {
    const random = new Random(freshSeed(t));
    const model = tinyNetwork(random);
    const grey = adaptInputChannels(model, 1);
    validateNetwork(grey.network, grey.weights);
    assert.deepEqual(grey.network.layers[0], { ...model.network.layers[0], shape: [1, 9, 9] });
    assert.equal(grey.network.preprocessing.channelOrder, 'GREY');
    const plane = uniform(random, PIXELS);
    assertClose(outputOf(grey, plane), outputOf(model, stack(plane, plane, plane)), 1e-5);
    assert.equal(model.weights.get('conv1.weight')?.shape[1], 3);
  });

  test('channels that repeat give what the three gave', (t) => {
    const random = new Random(freshSeed(t));
    const model = tinyNetwork(random);
    const [r, g, b] = [0, 1, 2].map(() => uniform(random, PIXELS)) as [Float32Array, Float32Array, Float32Array];
    const six = adaptInputChannels(model, 6);
    validateNetwork(six.network, six.weights);
    assert.equal(six.network.preprocessing.channelOrder, 'RGB');
    assertClose(outputOf(six, stack(r, g, b, r, g, b)), outputOf(model, stack(r, g, b)), 1e-5);
    // Averaged kernels answer to the channels' mean.
    const four = adaptInputChannels(model, 4, { method: 'average' });
    const mean = r.map((value, i) => (value + (g[i] as number) + (b[i] as number) + (r[i] as number)) / 4);
    assertClose(outputOf(four, stack(r, g, b, r)), outputOf(model, stack(mean, mean, mean)), 1e-5);
  });

  test('activations of like channels keep their size with any number of channels', (t) => {
    const random = new Random(freshSeed(t));
    const model = tinyNetwork(random);
    const plane = uniform(random, PIXELS);
    for (const channels of [2, 5]) {
      const average = adaptInputChannels(model, channels, { method: 'average' });
      const planes = stack(...Array.from({ length: channels }, () => plane));
      assertClose(outputOf(average, planes), outputOf(model, stack(plane, plane, plane)), 1e-5);
      const repeated = adaptInputChannels(model, channels).weights.get('conv1.weight');
      const first = model.weights.get('conv1.weight');
      assert.ok(repeated && first);
      // Red of the first kernel, at its first place.
      assertClose([repeated.data[0] as number], [((first.data[0] as number) * 3) / channels], 1e-6);
    }
  });

  test('three channels are as they were, and back from grey are colours', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    assert.equal(adaptInputChannels(model, 3), model);
    const again = adaptInputChannels(adaptInputChannels(model, 1), 3);
    assert.equal(again.network.preprocessing.channelOrder, 'RGB');
    validateNetwork(again.network, again.weights);
  });

  test('every architecture takes other numbers of channels, built so or adapted', () => {
    for (const name of ['squeezenet1_1', 'resnet18', 'mobilenet_v2', 'googlenet', 'densenet121']) {
      const network = buildArchitecture(name, { inputSize: 64, classes: 4 });
      const adapted = adaptInputChannels({ network, weights: initializeWeights(network, 1) }, 2);
      validateNetwork(adapted.network, adapted.weights);
      assert.deepEqual(adapted.network, buildArchitecture(name, { inputSize: 64, classes: 4, inChannels: 2 }));
    }
    assert.equal(buildArchitecture('alexnet', { inChannels: 1 }).preprocessing.channelOrder, 'GREY');
  });

  test('channels that something else than a convolution reads cannot be changed', (t) => {
    const random = new Random(freshSeed(t));
    const b = new NetworkBuilder('by depth', symmetricPreprocessing(9, 9));
    b.conv('depthwise', { out: 3, kernel: 3, groups: 3 });
    b.globalAveragePool('pool');
    b.dense('fc', 2);
    const network = b.build();
    const model = { network, weights: randomWeights(network, random) };
    throwsModelError(() => adaptInputChannels(model, 1), 'UNSUPPORTED', /depthwise .*3 groups/);
    const norm = new NetworkBuilder('normalised', symmetricPreprocessing(9, 9));
    norm.batchNorm('bn');
    norm.conv('conv', { out: 2, kernel: 9 });
    const other = norm.build();
    const normalised = { network: other, weights: randomWeights(other, random) };
    throwsModelError(() => adaptInputChannels(normalised, 1), 'UNSUPPORTED', /bn \(batchNorm\)/);
    throwsModelError(() => adaptInputChannels(model, 0), 'INVALID_ARGUMENT', /got 0/);
    throwsModelError(() => adaptInputChannels(model, 1.5), 'INVALID_ARGUMENT', /got 1.5/);
  });
});
