import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { findClassifier } from '../../src/models/classifier.js';
import { readModel, writeModel } from '../../src/models/formats/safetensors.js';
import { replaceHead } from '../../src/models/head.js';
import { summarize } from '../../src/models/summary.js';
import { createZooNetwork, parseZoo, type ZooEntry } from '../../src/models/zoo.js';
import { throwsModelError } from './fixtures.js';

const json = () => JSON.parse(readFileSync('weights/zoo.json', 'utf8')) as { networks: Record<string, unknown>[] };
const create = (entry: ZooEntry, seed = 1) =>
  createZooNetwork(entry, { seed, readPackageFile: (path) => readFile(`node_modules/${path}`) });

describe('the zoo', () => {
  for (const entry of parseZoo(json())) {
    test(`${entry.id} is what its entry says, and takes a new head`, async () => {
      const model = await create(entry);
      const summary = summarize(model.network, model.weights);
      const total = (key: 'parameters' | 'multiplyAdds') => summary.reduce((sum, layer) => sum + layer[key], 0);
      assert.equal(total('parameters'), entry.parameters);
      assert.equal(total('multiplyAdds'), entry.multiplyAdds);
      assert.equal(model.network.architecture, entry.architecture);
      assert.deepEqual(summary[0]?.outputShape, entry.inputSize);
      assert.deepEqual(model.network.preprocessing, entry.preprocessing);
      for (const keepLayersAfterPooling of [true, false]) {
        const grafted = replaceHead(model, { classes: ['a', 'b', 'c'], seed: 1, keepLayersAfterPooling });
        assert.deepEqual(readModel(writeModel(grafted)).network, grafted.network);
      }
    });
  }

  test("the pretrained network ends in features: nsfwjs's classifier is gone", async () => {
    const entry = parseZoo(json()).find(({ pretrained }) => pretrained) as ZooEntry;
    const { network, weights } = await create(entry);
    assert.equal(findClassifier(network), null);
    assert.ok(!network.layers.some((layer) => layer.kind === 'dense' || layer.kind === 'softmax'));
    assert.ok(![...weights.keys()].some((name) => name.startsWith('dense')));
    assert.ok(network.layers.every((layer) => layer.kind !== 'zeroPad'));
    assert.equal(network.classes, null);
    // 52 convolutions and as many batch norms of four tensors, as in the paper's network without its classifier.
    assert.equal(weights.size, 52 + 52 * 4);
    const sizes = await Promise.all(
      [entry.weights?.model, ...(entry.weights?.shards ?? [])].map((path) => readFile(`node_modules/${path}`)),
    );
    assert.equal(
      sizes.reduce((sum, file) => sum + file.length, 0),
      entry.bytes,
    );
  });

  test('random weights follow the seed', async () => {
    const entry = parseZoo(json()).find(({ id }) => id === 'squeezenet1_1') as ZooEntry;
    const [one, again, other] = [await create(entry, 1), await create(entry, 1), await create(entry, 2)];
    assert.deepEqual(writeModel(one), writeModel(again));
    assert.notDeepEqual(one.weights.get('features.0.weight'), other.weights.get('features.0.weight'));
  });

  test('a wrong manifest is refused, by entry and field', () => {
    const refuse = (change: (networks: Record<string, unknown>[]) => void, message: RegExp) => {
      const zoo = json();
      change(zoo.networks);
      throwsModelError(() => parseZoo(zoo), 'INVALID_FILE', message);
    };
    refuse(([first]) => delete first?.name, /mobilenet_v2_nsfw: name must be a text/);
    refuse(([, second]) => Object.assign(second ?? {}, { parameters: '3' }), /mobilenet_v2: parameters must be/);
    refuse(([, second]) => Object.assign(second ?? {}, { top1: 140 }), /top1 must be a percentage/);
    refuse(([, second]) => Object.assign(second ?? {}, { architecture: 'vgg99' }), /no architecture vgg99/);
    refuse(([, second]) => Object.assign(second ?? {}, { pretrained: true }), /pretrained entries/);
    refuse(([first, second]) => Object.assign(second ?? {}, { id: first?.id }), /two entries/);
    refuse(([first]) => Object.assign(first ?? {}, { weights: { format: 'pickle' } }), /weights: format/);
    throwsModelError(() => parseZoo({}), 'INVALID_FILE', /must be a list/);
    throwsModelError(() => parseZoo(null), 'INVALID_FILE');
  });
});
