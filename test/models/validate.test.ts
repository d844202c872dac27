import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pooledLength } from '../../src/kernels/ops/window.js';
import { NetworkBuilder } from '../../src/models/builder.js';
import type { Model } from '../../src/models/graph.js';
import type { Layer } from '../../src/models/network.js';
import { networkFromJson, networkToJson } from '../../src/models/networkJson.js';
import { unitPreprocessing } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { inferShapes } from '../../src/models/shapes.js';
import { summarize, summarizeNetwork } from '../../src/models/summary.js';
import { validateLayers, validateNetwork } from '../../src/models/validate.js';
import { freshSeed, throwsModelError, tinyNetwork } from './fixtures.js';

const tiny = (): Model => tinyNetwork(new Random(1));
/** The tiny network with one layer changed. */
const changed = (name: string, change: object): Model => {
  const { network, weights } = tiny();
  const layers = network.layers.map((layer) => (layer.name === name ? ({ ...layer, ...change } as Layer) : layer));
  return { network: { ...network, layers }, weights };
};
const refuse = ({ network, weights }: Model, message: RegExp) =>
  throwsModelError(() => validateNetwork(network, weights), 'INVALID_NETWORK', message);

describe('a network that cannot be is refused', () => {
  const cases: [string, () => Model, RegExp][] = [
    ['two layers of one name', () => changed('conv2', { name: 'conv1' }), /Two layers are named conv1/],
    ['a layer before what it reads', () => changed('conv1', { inputs: ['sum'] }), /conv1 reads sum/],
    ['a layer that reads itself', () => changed('conv2', { inputs: ['conv2'] }), /conv2 reads conv2/],
    ['a layer that reads nothing', () => changed('conv2', { inputs: [] }), /takes 1 input/],
    ['a sum of one', () => changed('sum', { inputs: ['conv2'] }), /at least 2/],
    ['a sum of different shapes', () => changed('sum', { inputs: ['conv2', 'input'] }), /one shape/],
    ['an empty name', () => changed('conv2', { name: '' }), /1 to 1024 characters/],
    [
      'a stride of zero',
      () => changed('conv1', { stride: [0, 1] }),
      /conv1 \(conv2d\): stride\[0\] must be an integer from 1/,
    ],
    ['a stride that is not whole', () => changed('conv1', { stride: [1.5, 1] }), /stride/],
    [
      'negative padding',
      () => changed('conv1', { padding: { top: -1, left: 0, bottom: 0, right: 0 } }),
      /padding\.top/,
    ],
    ['groups that do not divide', () => changed('conv2', { groups: 3 }), /3 groups/],
    ['a kernel larger than the picture', () => changed('conv1', { kernel: [30, 30] }), /too small/],
    ['a rate of one', () => changed('dropout', { rate: 1 }), /below 1/],
    ['a negative factor', () => changed('fc1', { learningRateFactor: -1 }), /learningRateFactor/],
    ['momentum above one', () => changed('bn1', { momentum: 1.5 }), /momentum/],
    ['dense on a map', () => changed('pool', { kind: 'activation', activation: 'relu' }), /flatten it first/],
    ['a second input', () => changed('relu2', { kind: 'input', inputs: [], shape: [3, 9, 9] }), /no other/],
    ['labels that do not fit the outputs', () => changed('fc2', { outFeatures: 4 }), /5 class labels but 4/],
  ];
  for (const [what, make, message] of cases) test(what, () => refuse(make(), message));

  test('too many layers, quickly', () => {
    const { network, weights } = tiny();
    const more = Array.from({ length: 20_000 }, (_, index) => ({
      kind: 'flatten' as const,
      axis: 1,
      name: `f${index}`,
      inputs: ['fc2'],
      learningRateFactor: 1,
    }));
    refuse({ network: { ...network, layers: [...network.layers, ...more] }, weights }, /10000 layers/);
  });

  test('preprocessing of another size', () => {
    const { network, weights } = tiny();
    refuse({ network: { ...network, preprocessing: { ...network.preprocessing, height: 8 } }, weights }, /8 x 9/);
    refuse({ network: { ...network, preprocessing: { ...network.preprocessing, std: [1, 0, 1] } }, weights }, /std/);
  });
});

describe('weights that do not fit are refused', () => {
  const refuseWeights = (
    change: (weights: Map<string, { shape: readonly number[]; data: Float32Array }>) => void,
    message: RegExp,
  ) => {
    const { network, weights } = tiny();
    const copy = new Map(weights);
    change(copy);
    throwsModelError(() => validateNetwork(network, copy), 'INVALID_WEIGHTS', message);
  };
  test('missing', () =>
    refuseWeights((weights) => weights.delete('bn1.running_var'), /bn1\.running_var, which is missing/));
  test('wrong shape', () =>
    refuseWeights(
      (weights) => weights.set('fc1.weight', { shape: [4, 6], data: new Float32Array(24) }),
      /must be \[6, 4\]/,
    ));
  test('fewer values than the shape says', () =>
    refuseWeights((weights) => weights.set('fc1.weight', { shape: [6, 4], data: new Float32Array(23) }), /23 values/));
  test('one weight for two layers', () => {
    const { network, weights } = changed('bn1', { bias: 'bn1.weight' });
    throwsModelError(() => validateNetwork(network, weights), 'INVALID_WEIGHTS', /belongs to one layer/);
  });
});

test('shapes of the tiny network', () => {
  assert.deepEqual(Object.fromEntries(inferShapes(tiny().network)), {
    input: [3, 9, 9],
    conv1: [4, 5, 5],
    bn1: [4, 5, 5],
    relu1: [4, 5, 5],
    conv2: [4, 5, 5],
    sum: [4, 5, 5],
    pool: [4],
    fc1: [6],
    relu2: [6],
    dropout: [6],
    fc2: [5],
  });
});

test("rounding up counts a last window only if it starts inside (PyTorch's MaxPool2d)", () => {
  // torch.nn.MaxPool2d(3, 2, ceil_mode=True) on 224/111/4 pixels; MaxPool2d(2, 2, padding=1, ceil_mode=True) on 5: 3, on 4: 3.
  assert.deepEqual(
    [pooledLength(111, 3, 2, 0, 0, true), pooledLength(224, 3, 2, 0, 0, true), pooledLength(4, 3, 2, 0, 0, true)],
    [55, 112, 2],
  );
  assert.deepEqual([pooledLength(5, 2, 2, 1, 1, true), pooledLength(4, 2, 2, 1, 1, true)], [3, 3]);
  // A window of 1 with stride 3 on 3 pixels: ceil(2 / 3) + 1 = 2, but the second would start at 3, behind the picture.
  assert.equal(pooledLength(3, 1, 3, 0, 0, true), 1);
});

test('summary counts parameters and multiply-adds by hand', () => {
  const { network, weights } = changed('conv1', { learningRateFactor: 0 });
  const summary = new Map(summarize(network, weights).map((line) => [line.layer.name, line]));
  assert.equal(summary.get('conv1')?.parameters, 4 * 3 * 9);
  assert.equal(summary.get('conv1')?.multiplyAdds, 4 * 25 * 3 * 9);
  assert.equal(summary.get('conv1')?.frozen, true);
  assert.equal(summary.get('bn1')?.parameters, 8);
  assert.equal(summary.get('bn1')?.frozen, false);
  assert.equal(summary.get('fc1')?.parameters, 4 * 6 + 6);
  assert.equal(summary.get('fc1')?.multiplyAdds, 24);
  assert.equal(summary.get('sum')?.multiplyAdds, 0);
});

test('auxiliary outputs are layers of their own with logits of the same shape and a weight above 0', () => {
  const b = new NetworkBuilder('auxiliary', unitPreprocessing(4, 4));
  const map = b.conv('conv', { out: 2, kernel: 3 });
  b.globalAveragePool('aux.pool');
  b.dense('aux.fc', 3);
  b.auxiliary(0.5);
  b.globalAveragePool('pool', {}, map);
  b.dense('fc', 3);
  const network = b.build();
  validateLayers(network);
  assert.deepEqual(networkFromJson(networkToJson(network)).auxiliary, [{ layer: 'aux.fc', lossWeight: 0.5 }]);
  const summary = new Map(summarizeNetwork(network).map((entry) => [entry.layer.name, entry]));
  assert.deepEqual([summary.get('aux.fc')?.multiplyAdds, summary.get('fc')?.multiplyAdds], [0, 6]);
  assert.deepEqual([summary.get('aux.fc')?.auxiliaryLossWeight, summary.get('fc')?.auxiliaryLossWeight], [0.5, null]);
  for (const [auxiliary, message] of [
    [[{ layer: 'nowhere', lossWeight: 1 }], /nowhere is no layer/],
    [[{ layer: 'aux.pool', lossWeight: 1 }], /aux\.pool is \[2\]/],
    [[{ layer: 'aux.fc', lossWeight: 0 }], /above 0; got 0/],
    [[{ layer: 'fc', lossWeight: 1 }], /an output already/],
    [[0, 1].map(() => ({ layer: 'aux.fc', lossWeight: 1 })), /an output already/],
  ] as const) {
    throwsModelError(() => validateLayers({ ...network, auxiliary }), 'INVALID_NETWORK', message);
  }
});

describe('the JSON of a network', () => {
  test('comes back as it was, whatever the order of its keys', () => {
    const { network } = tiny();
    const text = networkToJson(network);
    assert.deepEqual(networkFromJson(text), network);
    const shuffled = JSON.parse(text, (_, value) =>
      value && typeof value === 'object' && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).reverse())
        : value,
    );
    assert.equal(networkToJson(networkFromJson(JSON.stringify(shuffled))), text);
  });

  test('fields that version 1 did not have take their defaults', () => {
    const { network } = tiny();
    const json = JSON.parse(networkToJson(network)) as { layers: Record<string, unknown>[] } & Record<string, unknown>;
    delete json.auxiliary;
    for (const layer of json.layers) for (const field of ['batched', 'type', 'axis']) delete layer[field];
    assert.deepEqual(networkFromJson(JSON.stringify({ ...json, version: 1 })), network);
  });

  test('fields of wrong types are refused by name', () => {
    const text = networkToJson(tiny().network);
    const refuseJson = (
      change: (json: { layers: Record<string, unknown>[] } & Record<string, unknown>) => void,
      message: RegExp,
    ) => {
      const json = JSON.parse(text);
      change(json);
      throwsModelError(() => networkFromJson(JSON.stringify(json)), 'INVALID_NETWORK', message);
    };
    refuseJson((json) => Object.assign(json, { version: 3 }), /version 3/);
    refuseJson((json) => Object.assign(json.layers[1] as object, { kind: 'lstm' }), /layers\[1\]\.kind must be one of/);
    refuseJson((json) => Object.assign(json.layers[1] as object, { stride: [1] }), /stride must be a list of 2/);
    refuseJson((json) => Object.assign(json.layers[1] as object, { weight: 3 }), /weight must be a string/);
    refuseJson((json) => delete json.preprocessing, /preprocessing.*must be an object/);
    refuseJson((json) => Object.assign(json, { classes: [1] }), /classes\[0\]/);
    throwsModelError(() => networkFromJson('{'), 'INVALID_NETWORK', /JSON/);
  });

  test('damaged text gives ModelError or a valid network', (t) => {
    const random = new Random(freshSeed(t));
    const text = networkToJson(tiny().network);
    for (let trial = 0; trial < 1500; trial++) {
      const at = random.uint32() % text.length;
      const damaged = text.slice(0, at) + String.fromCharCode(32 + (random.uint32() % 95)) + text.slice(at + 1);
      try {
        networkFromJson(damaged);
      } catch (error) {
        assert.equal((error as Error).name, 'ModelError', `${damaged.slice(at - 20, at + 20)}: ${String(error)}`);
      }
    }
  });
});
