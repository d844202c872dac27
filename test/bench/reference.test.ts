import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { benchNetwork } from '../../bench/networks.js';
import { foldedLayers } from '../../bench/peers/folded.js';
import { randomValues } from '../../bench/random.js';
import { referenceOutput, referenceStep } from '../../bench/reference/network.js';
import { elements } from '../../bench/reference/tape.js';
import { referenceForward } from '../models/reference.js';
import { freshSeed } from '../training/fixtures.js';
import { tfjsStep } from '../training/tfjsNetwork.js';

const seed = freshSeed();
const CLASSES = 5;
/** So that the smallest maps have some pixels for the batch norms. */
const SIDE = 64;

describe(`the benchmark's float64 reference, seed ${seed}`, () => {
  for (const architecture of ['mobilenet_v2', 'squeezenet1_1', 'resnet18', 'resnet50']) {
    const { network, weights } = benchNetwork({ architecture, side: SIDE, classes: CLASSES }, seed);
    const shape = [2, 3, SIDE, SIDE] as const;
    const x = randomValues(elements(shape), seed, 'x');
    const given = () => new Map([['input', { shape, data: x }]]);
    const last = network.layers.at(-1)?.name as string;

    test(`${architecture}: logits are those of the tests' own reference, batch norms folded or not`, () => {
      const expected = referenceForward(network, weights, x, 2).get(last)?.data as Float64Array;
      const folded = foldedLayers(network, weights);
      const scale = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      for (const model of [{ network, weights }, folded]) {
        const logits = referenceOutput(model.network.layers, model.weights, given());
        const error = logits.reduce((max, value, i) => Math.max(max, Math.abs(value - (expected[i] as number))), 0);
        assert.ok(error / scale < 1e-5, `${error} of ${scale}`);
      }
    });

    // The slow oracle; ResNet-50 has no kind of layer that the others have not.
    if (architecture === 'resnet50') continue;
    test(`${architecture}: loss and gradients are those of tfjs`, async () => {
      const labels = [1, 4];
      const { loss, gradients, values } = referenceStep(network.layers, weights, given(), labels);
      const activations = new Map([...values].map(([name, data]) => [name, Float32Array.from(data)]));
      const tfjs = await tfjsStep(network, weights, x, shape, labels, activations);
      assert.ok(Math.abs(loss - tfjs.loss) < 1e-4 * Math.abs(loss), `${loss} ${tfjs.loss}`);
      const largest = (values: Float32Array) => values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      // The gradient of what a batch norm takes off again is exactly zero: tfjs gives its rounding errors, which are as large as
      // those of all that is added up there.
      const floor = 1e-4 * Math.max(...[...tfjs.gradients.values()].map(largest));
      for (const [name, expected] of tfjs.gradients) {
        const gradient = gradients.get(name) as Float64Array;
        const scale = largest(expected);
        const error = expected.reduce((max, value, i) => Math.max(max, Math.abs(value - (gradient[i] as number))), 0);
        assert.ok(error <= 1e-2 * scale + floor, `${name}: ${error} of ${scale}`);
      }
    });
  }
});
