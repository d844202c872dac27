import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ModelError } from '../../src/models/errors.js';
import { importModel } from '../../src/models/detect.js';
import { importKerasArchive } from '../../src/models/formats/keras/archive.js';
import { importKerasH5 } from '../../src/models/formats/keras/h5.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import { openZip } from '../../src/models/formats/zip/archive.js';
import { writeZip } from '../../src/models/formats/zip/write.js';
import type { Model } from '../../src/models/graph.js';
import { Random } from '../../src/models/random.js';
import { simplify } from '../../src/models/simplify.js';
import { assertClose, freshSeed, throwsModelError, toChw } from './fixtures.js';
import { onnxOutput } from './onnxRuntime.js';

const folder = new URL('../../../test/fixtures/keras/', import.meta.url);
const read = (name: string): Uint8Array => readFileSync(new URL(name, folder));

interface Expected {
  readonly shape: readonly [number, number, number, number];
  readonly pictures: readonly number[];
  readonly outputs: readonly number[];
}
const expected = JSON.parse(new TextDecoder().decode(read('expected.json'))) as Record<string, Expected>;
const names = readdirSync(folder).filter((name) => /\.(h5|keras)$/.test(name));

const load = (name: string, bytes = read(name)): Model =>
  name.endsWith('.h5') ? importKerasH5(bytes) : importKerasArchive(openZip(bytes));

describe("Keras's files predict here what they predict in Keras", () => {
  for (const name of names) {
    test(name, async () => {
      const { shape, pictures, outputs } = expected[name.replace(/\.[^.]+$/, '')] as Expected;
      const [batch, height, width, channels] = shape;
      const input = toChw(pictures, shape);
      const imported = load(name);
      for (const model of [imported, simplify(imported)]) {
        const { data } = await onnxOutput(exportOnnx(model), [batch, channels, height, width], input);
        assertClose(data, outputs, 1e-5);
      }
    });
  }
});

test('layers have the names of the file, those of nested models behind the name of the model', () => {
  const { network, weights } = load('nested.keras3.keras');
  const layers = network.layers.map(({ name }) => name);
  for (const name of ['trunk/conv', 'trunk/bn', 'relu', 'conv', 'relu_1', 'pad', 'head/dense', 'head/last']) {
    assert.ok(layers.includes(name), `${name} is missing from ${layers.join(', ')}`);
  }
  assert.ok(weights.has('trunk/conv/kernel') && weights.has('conv/kernel'));
  assert.equal(network.architecture, 'nested');
});

test('a network that rescales its pictures itself gets them as bytes', () => {
  const { preprocessing } = load('mixed.keras3.keras').network;
  assert.deepEqual([preprocessing.scale, preprocessing.mean, preprocessing.std], [1, [0, 0, 0], [1, 1, 1]]);
});

test('the receipt counts every layer of the file once', () => {
  for (const name of ['nested.keras2.h5', 'nested.keras3.keras']) {
    const { mapped } = importModel({ upload: read(name) }).conversion;
    const counted = (layer: string) =>
      mapped.filter(({ from }) => from === layer).reduce((total, { count }) => total + count, 0);
    const { layers } = load(name).network;
    const built = (kind: string) => layers.filter((layer) => layer.kind === kind).length;
    assert.ok(built('conv2d') > 0 && built('dense') > 0);
    assert.deepEqual([counted('Conv2D'), counted('Dense')], [built('conv2d'), built('dense')], name);
    assert.equal(counted('InputLayer'), 1);
  }
});

test('both formats are recognised by what is in them', () => {
  for (const [name, format] of [
    ['nested.keras2.h5', 'keras'],
    ['mixed.keras3.keras', 'keras'],
  ] as const) {
    const model = importModel({ upload: read(name) });
    assert.equal(model.format, format);
    assert.notEqual(model.network.layers.at(-1)?.kind, 'softmax');
  }
});

interface LayerJson {
  name: string;
  class_name: string;
  config: object;
  inbound_nodes: [{ args: [{ config: { keras_history: unknown[] } }] }];
}

/** The archive with its configuration changed. */
function edited(name: string, change: (json: { config: { layers: LayerJson[] } }) => void): Uint8Array {
  const archive = openZip(read(name));
  const files = archive.entries.map((entry) => ({ name: entry.name, data: archive.read(entry.name) }));
  const json = JSON.parse(new TextDecoder().decode(archive.read('config.json')));
  change(json);
  const data = new TextEncoder().encode(JSON.stringify(json));
  return writeZip(files.map((file) => (file.name === 'config.json' ? { ...file, data } : file)));
}

describe('what Keras files must not have', () => {
  const name = 'nested.keras3.keras';
  const change = (layer: string, edit: (layer: LayerJson) => void) =>
    edited(name, ({ config }) => edit(config.layers.find((candidate) => candidate.name === layer) as LayerJson));

  test('code, classes of others and unknown activations: refused by name, all in one list', () => {
    const bytes = edited(name, ({ config: { layers } }) => {
      const find = (wanted: string) => layers.find((layer) => layer.name === wanted) as LayerJson;
      Object.assign(find('pad'), { class_name: 'Lambda' });
      Object.assign(find('pool'), { class_name: 'my>Attention' });
      Object.assign(find('conv').config, { activation: 'my_activation' });
    });
    assert.throws(
      () => load(name, bytes),
      (error) => {
        assert.ok(error instanceof ModelError && error.code === 'UNSUPPORTED');
        const found = error.problems.map(({ layer, kind, attribute }) => `${kind} ${layer} ${attribute ?? ''}`.trim());
        assert.deepEqual(found, ['Conv2D conv activation = "my_activation"', 'Lambda pad', 'my>Attention pool']);
        return true;
      },
    );
  });

  test('weights of another shape, loops, layers that are not there', () => {
    const filters = change('conv', (layer) => Object.assign(layer.config, { filters: 5 }));
    throwsModelError(() => load(name, filters), 'INVALID_FILE', /conv\/kernel must be/);
    const history = (from: string) =>
      change('conv', (layer) => {
        const [node] = layer.inbound_nodes;
        node.args[0].config.keras_history[0] = from;
      });
    throwsModelError(() => load(name, history('pad')), 'INVALID_FILE', /loop/);
    throwsModelError(() => load(name, history('nowhere')), 'INVALID_FILE', /nowhere/);
  });

  test('weights without layers: refused with advice', () => {
    const weights = openZip(read(name)).read('model.weights.h5');
    throwsModelError(() => importKerasH5(weights), 'UNSUPPORTED', /model\.save/);
  });

  test('files that end early', () => {
    for (const file of names) {
      const bytes = read(file);
      for (const length of [9, 100, bytes.length >> 1, bytes.length - 200]) {
        assert.throws(() => load(file, bytes.subarray(0, length)), ModelError);
      }
    }
  });
});

test('damaged files give ModelError', (t) => {
  const random = new Random(freshSeed(t));
  const h5 = names.filter((name) => name.endsWith('.h5'));
  for (let trial = 0; trial < 160; trial++) {
    const name = h5[trial % h5.length] as string;
    const bytes = Uint8Array.from(read(name));
    for (let change = 0; change < 1 + (random.uint32() % 8); change++) {
      const at = random.uint32() % bytes.length;
      // Lengths and addresses are small numbers: other small numbers in their place lead to other places of the file.
      bytes[at] = random.uint32() % 2 ? random.uint32() & 0xff : (bytes[at] as number) ^ (1 << (random.uint32() % 8));
    }
    try {
      load(name, bytes);
    } catch (error) {
      assert.ok(error instanceof ModelError, `trial ${trial}: ${String(error)}`);
    }
  }
});
