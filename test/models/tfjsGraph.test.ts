import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { importModel } from '../../src/models/detect.js';
import { ModelError } from '../../src/models/errors.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import { importTfjs } from '../../src/models/formats/tfjs.js';
import type { Model } from '../../src/models/graph.js';
import { Random } from '../../src/models/random.js';
import { simplify } from '../../src/models/simplify.js';
import { freshSeed, relativeError, throwsModelError, toChw } from './fixtures.js';
import { onnxOutput } from './onnxRuntime.js';

const folder = new URL('../../../test/fixtures/tfjs/', import.meta.url);
const read = (name: string): Uint8Array => readFileSync(new URL(name, folder));
const text = (name: string): string => new TextDecoder().decode(read(name));

interface Expected {
  readonly shape: readonly [number, number, number, number];
  readonly pictures: readonly number[];
  readonly outputs: readonly number[];
}
const expected = JSON.parse(text('expected.json')) as Record<string, Expected>;

const load = (name: string, json = text(`${name}/model.json`)): Model =>
  importTfjs(JSON.parse(json), (path) => read(`${name}/${path}`));

describe("TF.js graph-models compute here what TensorFlow's graph computes", () => {
  // Weights in 8 bits are as exact as their steps, those in float16 to one part in 2048.
  const cases = { mixed: 1e-5, mixed_uint8: 0.03, shapes: 1e-3 };
  for (const [name, tolerance] of Object.entries(cases)) {
    test(name, async () => {
      const { shape, pictures, outputs } = expected[name] as Expected;
      const [batch, height, width, channels] = shape;
      const input = toChw(pictures, shape);
      const imported = load(name);
      for (const model of [imported, simplify(imported)]) {
        const { data } = await onnxOutput(exportOnnx(model), [batch, channels, height, width], input);
        const error = relativeError(data, outputs);
        assert.ok(error <= tolerance, `relative error ${error}`);
      }
    });
  }
});

test('they are recognised by what is in their files', () => {
  const model = importModel({
    'model.json': read('mixed/model.json'),
    'group1-shard1of1.bin': read('mixed/group1-shard1of1.bin'),
  });
  assert.equal(model.format, 'tfjs');
  assert.equal(model.conversion.format, 'TF.js graph-model');
  assert.notEqual(model.network.layers.at(-1)?.kind, 'softmax');
});

describe('what TF.js graph-models must not have', () => {
  type Nodes = { name: string; op: string; input?: string[] }[];
  const changed = (edit: (nodes: Nodes) => void): string => {
    const json = JSON.parse(text('mixed/model.json')) as { modelTopology: { node: Nodes } };
    edit(json.modelTopology.node);
    return JSON.stringify(json);
  };
  const find = (nodes: Nodes, op: string) => nodes.find((node) => node.op === op) as Nodes[number];

  test('operators that Graft has no layer for: all in one list', () => {
    const json = changed((nodes) => {
      find(nodes, 'MaxPool').op = 'MaxPoolWithArgmax';
      find(nodes, 'FusedDepthwiseConv2dNative').op = 'Cumsum';
    });
    assert.throws(
      () => load('mixed', json),
      (error) => {
        assert.ok(error instanceof ModelError && error.code === 'UNSUPPORTED');
        assert.deepEqual(
          error.problems.map(({ kind }) => kind).sort((a, b) => a.localeCompare(b)),
          ['Cumsum', 'MaxPoolWithArgmax'],
        );
        return true;
      },
    );
  });

  test('loops, and nodes that are not there', () => {
    const rewired = (to: (nodes: Nodes) => string) =>
      changed((nodes) => {
        const pool = find(nodes, 'MaxPool');
        pool.input = [to(nodes)];
      });
    throwsModelError(
      () =>
        load(
          'mixed',
          rewired(() => 'nowhere'),
        ),
      'INVALID_FILE',
      /nowhere/,
    );
    throwsModelError(
      () =>
        load(
          'mixed',
          rewired((nodes) => find(nodes, 'AvgPool').name),
        ),
      'INVALID_FILE',
      /loop/,
    );
  });

  test('damaged files give ModelError', (t) => {
    const random = new Random(freshSeed(t));
    for (let trial = 0; trial < 300; trial++) {
      const name = trial % 2 ? 'mixed_uint8' : 'shapes';
      const whole = text(`${name}/model.json`);
      const at = random.uint32() % whole.length;
      const damaged = whole.slice(0, at) + String.fromCharCode(32 + (random.uint32() % 95)) + whole.slice(at + 1);
      try {
        JSON.parse(damaged);
      } catch {
        continue;
      }
      try {
        load(name, damaged);
      } catch (error) {
        assert.ok(
          error instanceof ModelError || (error as NodeJS.ErrnoException).code === 'ENOENT',
          `trial ${trial}: ${damaged.slice(at - 30, at + 30)}: ${String(error)}`,
        );
      }
    }
  });
});
