import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import type { Model } from '../../src/models/graph.js';
import { initializeWeights } from '../../src/models/initialize.js';
import { resizeInput } from '../../src/models/inputSize.js';
import { throwsModelError, tinyNetwork } from './fixtures.js';
import { Random } from '../../src/models/random.js';

const built = (name: string): Model => {
  const network = buildArchitecture(name, { classes: 3 });
  return { network, weights: initializeWeights(network, 1) };
};

describe('another size of the input', () => {
  test('is what the architecture builds for it, with the same weights', () => {
    for (const name of ['squeezenet1_0', 'resnet18', 'googlenet', 'mobilenet_v3_small']) {
      const model = built(name);
      const resized = resizeInput(model, 80, 112);
      assert.deepEqual(resized.network, buildArchitecture(name, { classes: 3, inputSize: [80, 112] }));
      assert.deepEqual(resized.weights, model.weights);
    }
  });

  test('leaves out auxiliary heads that it is too small for', () => {
    const { network, weights } = resizeInput(built('inception_v3'), 128, 128);
    assert.deepEqual(network, buildArchitecture('inception_v3', { classes: 3, inputSize: 128 }));
    assert.ok(!weights.has('AuxLogits.fc.weight') && weights.has('fc.weight'));
  });

  test('keeps labels, and refuses what is too small or no size', () => {
    const model = tinyNetwork(new Random(1));
    assert.deepEqual(resizeInput(model, 5, 6).network.classes, model.network.classes);
    throwsModelError(
      () => resizeInput(built('densenet121'), 28, 64),
      'INVALID_ARGUMENT',
      /densenet121 .*28 x 64.*too small/,
    );
    throwsModelError(() => resizeInput(model, 0, 9), 'INVALID_ARGUMENT', /got 0/);
    throwsModelError(() => resizeInput(model, 9, 1.5), 'INVALID_ARGUMENT', /got 1.5/);
  });
});
