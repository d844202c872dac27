import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import { findClassifier } from '../../src/models/classifier.js';
import { layerWeights, type Model } from '../../src/models/graph.js';
import { replaceHead } from '../../src/models/head.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { Layer, Network } from '../../src/models/network.js';
import { Random } from '../../src/models/random.js';
import { inferShapes } from '../../src/models/shapes.js';
import { summarize } from '../../src/models/summary.js';
import { freeze, randomizeWeights, setLearningRateFactor, truncateAt, unfreeze } from '../../src/models/surgery.js';
import { validateNetwork } from '../../src/models/validate.js';
import { assertClose, freshSeed, throwsModelError, tinyNetwork, uniform } from './fixtures.js';
import { referenceForward, referenceOutput } from './reference.js';

const built = (architecture: string, inputSize = 64): Model => {
  const network = buildArchitecture(architecture, { inputSize, classes: 11 });
  return { network, weights: initializeWeights(network, 5) };
};
const tail = (network: Network, count: number): string[] =>
  network.layers.slice(-count).map(({ kind, name }) => `${kind} ${name}`);
const classes = ['cat', 'dog', 'owl'];

/** The layers that both networks have must still compute the same. */
function assertSameTrunk(before: Model, after: Model, random: Random): void {
  const [input] = before.network.layers;
  if (input?.kind !== 'input') throw new Error('no input');
  const x = uniform(
    random,
    input.shape.reduce((product, size) => product * size, 1),
  );
  const old = referenceForward(before.network, before.weights, x);
  const fresh = referenceForward(after.network, after.weights, x);
  let shared = 0;
  for (const [name, value] of fresh) {
    const expected = old.get(name);
    if (!expected) continue;
    assertClose(value.data, expected.data, 0);
    shared++;
  }
  assert.ok(shared > 3);
}

describe('replaceHead', () => {
  test('replaces the last dense layer, keeps the layers before it, and touches nothing that it was given', (t) => {
    const random = new Random(freshSeed(t));
    const model = tinyNetwork(random);
    const before = structuredClone({ network: model.network, weights: [...model.weights] });
    const result = replaceHead(model, { classes, seed: 1 });
    validateNetwork(result.network, result.weights);
    assert.deepEqual(tail(result.network, 4), [
      'dense fc1',
      'activation relu2',
      'dropout head.dropout',
      'dense head.classifier',
    ]);
    assert.deepEqual(result.network.classes, classes);
    assert.deepEqual(inferShapes(result.network).get('head.classifier'), [3]);
    assert.ok(!result.weights.has('fc2.weight') && result.weights.has('fc1.weight'));
    assertSameTrunk(model, result, random);
    assert.deepEqual({ network: model.network, weights: [...model.weights] }, before);
  });

  test('can drop every layer after the last pooling', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    const { network, weights } = replaceHead(model, { classes, seed: 1, keepLayersAfterPooling: false });
    assert.deepEqual(tail(network, 2), ['globalAveragePool pool', 'dense head.classifier']);
    assert.deepEqual(
      [...weights.keys()].filter((name) => name.startsWith('fc')),
      [],
    );
  });

  test('adds a hidden layer and dropout, or removes the dropout that was there', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    const options = { classes, seed: 1, keepLayersAfterPooling: false };
    const wide = replaceHead(model, { ...options, hiddenUnits: 8, dropout: 0.5 });
    assert.deepEqual(tail(wide.network, 5), [
      'globalAveragePool pool',
      'dense head.hidden',
      'activation head.relu',
      'dropout head.dropout',
      'dense head.classifier',
    ]);
    assert.deepEqual(summarize(wide.network, wide.weights).at(-1)?.parameters, 8 * 3 + 3);
    const bare = replaceHead(model, { classes, seed: 1, dropout: 0 });
    assert.deepEqual(tail(bare.network, 2), ['activation relu2', 'dense head.classifier']);
  });

  test('works again on its own result, also behind a hidden layer that stays', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    const once = replaceHead(model, { classes, seed: 1, hiddenUnits: 8 });
    const twice = replaceHead(once, { classes: ['x'], seed: 2, hiddenUnits: 4 });
    validateNetwork(twice.network, twice.weights);
    assert.deepEqual(
      twice.network.layers.filter((layer) => layer.kind === 'dense').map((layer) => layer.name),
      ['fc1', 'head.hidden', 'head.hidden_1', 'head.classifier'],
    );
    assert.deepEqual(twice.weights.get('head.hidden.weight'), once.weights.get('head.hidden.weight'));
  });

  test('a softmax at the end goes', (t) => {
    const { network, weights } = tinyNetwork(new Random(freshSeed(t)));
    const softmax: Layer = { kind: 'softmax', axis: 1, name: 'softmax', inputs: ['fc2'], learningRateFactor: 1 };
    const model = { network: { ...network, layers: [...network.layers, softmax] }, weights };
    const result = replaceHead(model, { classes, seed: 1 });
    assert.ok(!result.network.layers.some((layer) => layer.kind === 'softmax'));
    assert.equal(result.network.layers.at(-1)?.name, 'head.classifier');
  });

  for (const known of [true, false]) {
    test(`SqueezeNet: the convolutional classifier goes (its classes ${known ? 'known' : 'unknown'})`, () => {
      const model = built('squeezenet1_1');
      const labels = Array.from({ length: 11 }, (_, i) => `class ${i}`);
      const network = { ...model.network, classes: known ? labels : null };
      assert.equal(findClassifier(network)?.name, 'classifier.1');
      const result = replaceHead({ ...model, network }, { classes, seed: 1 });
      validateNetwork(result.network, result.weights);
      assert.deepEqual(tail(result.network, 4), [
        'concat features.12.concat',
        'globalAveragePool head.pool',
        'dropout head.dropout',
        'dense head.classifier',
      ]);
      assert.ok(!result.weights.has('classifier.1.weight'));
    });
  }

  test('a network that ends in features gets the head on top', () => {
    for (const [architecture, end] of [
      ['mobilenet_v2', 'pool'],
      ['mobilenet_v2', 'features.18.2'],
      ['resnet18', 'layer4.1.relu2'],
    ] as const) {
      const { network, weights } = built(architecture);
      const cut = truncateAt(network, weights, end);
      assert.equal(findClassifier(cut.network), null);
      for (const keepLayersAfterPooling of [true, false]) {
        const result = replaceHead(cut, { classes, seed: 1, keepLayersAfterPooling });
        validateNetwork(result.network, result.weights);
        assert.ok(result.network.layers.some((layer) => layer.name === end));
        assert.deepEqual(inferShapes(result.network).get('head.classifier'), [3]);
      }
    }
  });

  test('VGG: all dense layers go with those after the pooling, whose map is pooled again', () => {
    const model = built('vgg11', 32);
    const result = replaceHead(model, { classes, seed: 1, keepLayersAfterPooling: false });
    assert.deepEqual(tail(result.network, 3), [
      'adaptiveAveragePool avgpool',
      'globalAveragePool head.pool',
      'dense head.classifier',
    ]);
    assert.deepEqual(result.weights.get('head.classifier.weight')?.shape, [3, 512]);
  });

  test('auxiliary heads go, or stay with new classifiers', () => {
    const model = built('googlenet');
    validateNetwork(model.network, model.weights);
    const isAuxiliary = (name: string) => name.startsWith('aux');
    const bare = replaceHead(model, { classes, seed: 1 });
    validateNetwork(bare.network, bare.weights);
    assert.deepEqual(bare.network.auxiliary, []);
    assert.ok(![...bare.weights.keys(), ...bare.network.layers.map(({ name }) => name)].some(isAuxiliary));

    const network = freeze(model.network, { all: true });
    const kept = replaceHead({ ...model, network }, { classes, seed: 1, keepAuxiliaryHeads: true });
    validateNetwork(kept.network, kept.weights);
    assert.deepEqual(kept.network.auxiliary, model.network.auxiliary);
    assert.equal(kept.network.layers.at(-1)?.name, 'head.classifier');
    assert.deepEqual(
      kept.network.layers.filter(({ learningRateFactor }) => learningRateFactor > 0).map(({ name }) => name),
      ['aux1.fc2', 'aux2.fc2', 'head.dropout', 'head.classifier'],
    );
    const shapes = inferShapes(kept.network);
    assert.deepEqual(shapes.get('aux1.fc2'), [3]);
    for (const [name, { shape, data }] of kept.weights) {
      if (name.startsWith('head.')) continue;
      if (name.includes('fc2')) {
        assert.deepEqual(shape, name.endsWith('bias') ? [3] : [3, 1024]);
        assert.ok(name.endsWith('bias') ? data.every((value) => value === 0) : new Set(data).size > 3000);
      } else assert.deepEqual(data, model.weights.get(name)?.data, name);
    }
    const other = replaceHead(model, { classes, seed: 2, keepAuxiliaryHeads: true });
    assert.notDeepEqual(other.weights.get('aux1.fc2.weight'), kept.weights.get('aux1.fc2.weight'));
  });

  test('an auxiliary head that ends in no classifier cannot stay', () => {
    const model = built('googlenet');
    const odd = { ...model, network: { ...model.network, auxiliary: [{ layer: 'aux1.relu', lossWeight: 1 }] } };
    const options = { classes, seed: 1, keepAuxiliaryHeads: true };
    throwsModelError(() => replaceHead(odd, options), 'INVALID_ARGUMENT', /aux1\.relu/);
  });

  test('the pooled features of a network without batch norms are not taken for a classifier', () => {
    const { network, weights } = built('mobilenet_v2');
    // Folding leaves convolution, ReLU6, pooling: here the batch norm is taken out to the same effect.
    const cut = truncateAt(network, weights, 'pool');
    const layers = cut.network.layers
      .filter((layer) => layer.name !== 'features.18.1')
      .map((layer) => (layer.name === 'features.18.2' ? { ...layer, inputs: ['features.18.0'] } : layer));
    assert.equal(findClassifier({ ...cut.network, layers }), null);
  });

  test('a hidden layer at the end is features, too', (t) => {
    const { network, weights } = tinyNetwork(new Random(freshSeed(t)));
    const result = replaceHead(truncateAt(network, weights, 'relu2'), { classes, seed: 1 });
    assert.deepEqual(tail(result.network, 3), ['dense fc1', 'activation relu2', 'dense head.classifier']);
  });

  test('new layers train; frozen ones stay frozen', (t) => {
    const { network, weights } = tinyNetwork(new Random(freshSeed(t)));
    const result = replaceHead(
      { network: freeze(network, { all: true }), weights },
      { classes, seed: 1, hiddenUnits: 3 },
    );
    for (const layer of result.network.layers) {
      assert.equal(layer.learningRateFactor, layer.name.startsWith('head.') ? 1 : 0, layer.name);
    }
  });

  test('the same seed gives the same weights; their spread is that of He et al.', (t) => {
    const seed = freshSeed(t);
    const model = built('resnet18');
    const make = (value: number) =>
      replaceHead(model, { classes: Array.from({ length: 200 }, (_, i) => `${i}`), seed: value, hiddenUnits: 300 })
        .weights;
    const [first, again, other] = [make(seed), make(seed), make(seed + 1)];
    assert.deepEqual(first, again);
    assert.notDeepEqual(first.get('head.classifier.weight'), other.get('head.classifier.weight'));
    const variance = (name: string) => {
      const data = first.get(name)?.data ?? new Float32Array();
      return data.reduce((sum, value) => sum + value * value, 0) / data.length;
    };
    // Variance 2 / fanIn before a ReLU; PyTorch's Linear, uniform in +-1/sqrt(fanIn), has 1 / (3 fanIn). 60,000 or more draws.
    assert.ok(Math.abs(variance('head.hidden.weight') * (512 / 2) - 1) < 0.05);
    assert.ok(Math.abs(variance('head.classifier.weight') * 3 * 300 - 1) < 0.05);
    assert.ok(first.get('head.classifier.bias')?.data.every((value) => value === 0));
  });

  test('wrong options are refused', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    const refuse = (options: object, message: RegExp) =>
      throwsModelError(() => replaceHead(model, { classes, seed: 1, ...options }), 'INVALID_ARGUMENT', message);
    refuse({ classes: [] }, /got 0/);
    refuse({ classes: ['a', 'b', 'a'] }, /a is listed twice/);
    refuse({ dropout: 1 }, /got 1/);
    refuse({ dropout: Number.NaN }, /NaN/);
    refuse({ hiddenUnits: 0 }, /got 0/);
    refuse({ hiddenUnits: 2.5 }, /2\.5/);
    refuse({ seed: 0.5 }, /seed/);
  });
});

describe('freezing', () => {
  const frozen = (network: Network): string[] =>
    network.layers.filter((layer) => layer.learningRateFactor === 0).map((layer) => layer.name);

  test('by name, by pattern, all, and up to a layer with all that it depends on', (t) => {
    const { network } = tinyNetwork(new Random(freshSeed(t)));
    assert.deepEqual(frozen(freeze(network, { names: ['conv2', 'fc1'] })), ['conv2', 'fc1']);
    assert.deepEqual(frozen(freeze(network, { pattern: 'conv?' })), ['conv1', 'conv2']);
    assert.deepEqual(frozen(freeze(network, { pattern: '*u1' })), ['relu1']);
    assert.equal(frozen(freeze(network, { all: true })).length, network.layers.length);
    assert.deepEqual(frozen(freeze(network, { upTo: 'sum' })), ['input', 'conv1', 'bn1', 'relu1', 'conv2', 'sum']);
    assert.deepEqual(frozen(freeze(network, { upTo: 'relu1' })), ['input', 'conv1', 'bn1', 'relu1']);
    assert.deepEqual(frozen(network), []);
  });

  test('up to a layer of one branch leaves the other branches alone', () => {
    const { network } = built('squeezenet1_1');
    const names = frozen(freeze(network, { upTo: 'features.3.expand3x3' }));
    assert.ok(names.includes('features.3.squeeze_activation'));
    assert.ok(!names.includes('features.3.expand1x1'));
  });

  test('factors are set and undone', (t) => {
    const { network } = tinyNetwork(new Random(freshSeed(t)));
    const slow = setLearningRateFactor(network, { pattern: 'fc*' }, 0.1);
    assert.deepEqual(
      slow.layers.filter((layer) => layer.learningRateFactor === 0.1).map((layer) => layer.name),
      ['fc1', 'fc2'],
    );
    assert.deepEqual(unfreeze(freeze(slow, { all: true }), { all: true }), network);
    for (const factor of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      throwsModelError(() => setLearningRateFactor(network, { all: true }, factor), 'INVALID_ARGUMENT', /at least 0/);
    }
  });

  test('unknown names say which names are near', (t) => {
    const { network } = tinyNetwork(new Random(freshSeed(t)));
    throwsModelError(() => freeze(network, { names: ['Conv_1', 'fc1'] }), 'UNKNOWN_LAYER', /Conv_1 \(nearest: conv1/);
    throwsModelError(() => freeze(network, { upTo: 'relu' }), 'UNKNOWN_LAYER', /relu1/);
    throwsModelError(() => freeze(network, { pattern: 'block*' }), 'UNKNOWN_LAYER', /block\*/);
    throwsModelError(() => freeze(network, { names: [] }), 'INVALID_ARGUMENT');
  });

  test('no pattern takes long', () => {
    const { network } = built('mobilenet_v2');
    const pattern = `${'*a'.repeat(200)}*b`;
    throwsModelError(() => freeze(network, { pattern }), 'UNKNOWN_LAYER');
  });
});

test('randomizeWeights: He normal by fan-out, neutral batch norms, nothing frozen', (t) => {
  const model = built('resnet18');
  const { network, weights } = randomizeWeights(
    { ...model, network: freeze(model.network, { all: true }) },
    freshSeed(t),
  );
  validateNetwork(network, weights);
  assert.ok(network.layers.every((layer) => layer.learningRateFactor === 1));
  const variance = (name: string) => {
    const data = weights.get(name)?.data ?? new Float32Array();
    return data.reduce((sum, value) => sum + value * value, 0) / data.length;
  };
  assert.ok(Math.abs(variance('layer3.0.conv1.weight') * ((256 * 9) / 2) - 1) < 0.05);
  assert.ok(Math.abs(variance('layer3.0.downsample.0.weight') * (256 / 2) - 1) < 0.05);
  assert.ok(Math.abs(variance('fc.weight') / 1e-4 - 1) < 0.2);
  const all = (name: string, value: number) => weights.get(name)?.data.every((item) => item === value);
  assert.ok(all('bn1.weight', 1) && all('bn1.bias', 0) && all('bn1.running_mean', 0) && all('bn1.running_var', 1));
  assert.ok(all('fc.bias', 0));
});

test('truncateAt ends the network in that layer and drops what it does not need', (t) => {
  const random = new Random(freshSeed(t));
  const model = tinyNetwork(random);
  const x = uniform(random, 3 * 9 * 9);
  const expected = referenceForward(model.network, model.weights, x).get('conv2');
  const cut = truncateAt(model.network, model.weights, 'conv2');
  validateNetwork(cut.network, cut.weights);
  assert.deepEqual(referenceOutput(cut.network, cut.weights, x), expected);
  assert.equal(cut.network.classes, null);
  assert.deepEqual([...cut.weights.keys()].sort(), cut.network.layers.flatMap(layerWeights).sort());
  throwsModelError(() => truncateAt(model.network, model.weights, 'conv3'), 'UNKNOWN_LAYER', /conv2/);
});
