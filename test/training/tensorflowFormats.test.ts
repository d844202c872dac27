import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { importKerasArchive } from '../../src/models/formats/keras/archive.js';
import { importTfjs } from '../../src/models/formats/tfjs.js';
import { importTflite } from '../../src/models/formats/tflite.js';
import { openZip } from '../../src/models/formats/zip/archive.js';
import type { Model } from '../../src/models/graph.js';
import { simplify } from '../../src/models/simplify.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { relativeError, toChw } from '../models/fixtures.js';
import { engineOutput } from './engineOutput.js';

const folder = new URL('../../../test/fixtures/', import.meta.url);
const read = (path: string): Uint8Array => readFileSync(new URL(path, folder));
const json = (path: string): unknown => JSON.parse(new TextDecoder().decode(read(path)));

interface Expected {
  readonly shape: readonly [number, number, number, number];
  readonly pictures: readonly number[];
  readonly outputs: readonly number[];
}

const CASES: Readonly<Record<string, readonly [expected: string, name: string, load: () => Model]>> = {
  Keras: ['keras', 'mixed.keras3', () => importKerasArchive(openZip(read('keras/mixed.keras3.keras')))],
  'TensorFlow Lite': ['tflite', 'shapes', () => importTflite(read('tflite/shapes.tflite'))],
  'TF.js': ['tfjs', 'mixed', () => importTfjs(json('tfjs/mixed/model.json'), (path) => read(`tfjs/mixed/${path}`))],
};

describe('imported networks compute on the engine what they computed where they come from', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  for (const [title, [file, name, load]] of Object.entries(CASES)) {
    test(title, async () => {
      const { shape, pictures, outputs } = (json(`${file}/expected.json`) as Record<string, Expected>)[
        name
      ] as Expected;
      const [batch, height, width, channels] = shape;
      const input = toChw(pictures, shape);
      const actual = await engineOutput(engine, simplify(load()), [batch, channels, height, width], input);
      const error = relativeError(actual, outputs);
      assert.ok(error < 1e-4, `relative error ${error}`);
    });
  }
});
