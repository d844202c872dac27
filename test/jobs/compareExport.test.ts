import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { compareExport, generatedPictures, type NamedPicture } from '../../src/jobs/compareExport.js';
import type { Engine } from '../../src/kernels/engine.js';
import { type OnnxExportOptions, writeOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import type { Model } from '../../src/models/graph.js';
import type { Layer, Network } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { findOnnxRuntime, type OtherEngine } from '../../src/runtime/onnxRuntime.js';
import { freshSeed, seeded, smallNetwork } from '../training/fixtures.js';

const seed = freshSeed();

describe('an export beside the engine', () => {
  let engine: Engine;
  let other: OtherEngine;
  let model: Model;
  before(async () => {
    engine = await openEngine();
    const found = await findOnnxRuntime();
    assert.ok(found, 'the tests install onnxruntime-node');
    other = found;
    model = smallNetwork(['a', 'b', 'c'], seeded(seed));
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  /** Compares the model with the file of another one, which ought to be the same. */
  function compare(written: Model, options: OnnxExportOptions = {}, pictures: readonly NamedPicture[] = []) {
    const { file, input, output, values } = writeOnnx(written, options);
    const { pictures: graphPictures = null, softmax = false } = options;
    const exported = { file, input, output, values: [...values], pictures: graphPictures, softmax };
    return compareExport(engine, model, exported, other, [...pictures, ...generatedPictures(model.network)]);
  }
  const changed = (change: Partial<Network>): Model => ({ ...model, network: { ...model.network, ...change } });
  const changedLayer = (name: string, change: object): Model =>
    changed({
      layers: model.network.layers.map((layer) => (layer.name === name ? ({ ...layer, ...change } as Layer) : layer)),
    });

  const variants: readonly OnnxExportOptions[] = [
    {},
    { softmax: true },
    { pictures: { type: 'uint8', layout: 'NHWC' } },
    { pictures: { type: 'uint8', layout: 'NCHW' }, softmax: true },
    { pictures: { type: 'float32', layout: 'NCHW' } },
    { pictures: { type: 'float32', layout: 'NHWC' } },
  ];
  for (const options of variants) {
    test(`a good file is within the tolerance: ${JSON.stringify(options)}`, async (t) => {
      t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
      const comparison = await compare(model, options);
      assert.match(comparison.against, /^onnxruntime-node \d/);
      assert.equal(comparison.inputs, 2);
      assert.equal(comparison.values, options.softmax ? 'probabilities' : 'logits');
      assert.ok(comparison.relativeDifference <= comparison.tolerance, JSON.stringify(comparison));
      assert.equal(comparison.divergingLayer, null);
    });
  }

  test('another epsilon is found, with its layer', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const comparison = await compare(changedLayer('bn2', { epsilon: 0.2 }), { softmax: true });
    assert.ok(comparison.relativeDifference > comparison.tolerance, JSON.stringify(comparison));
    assert.equal(comparison.divergingLayer?.name, 'bn2');
    assert.match(comparison.input, /generated picture/);
  });

  test('another mean in the graph is found at the input', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const preprocessing = { ...model.network.preprocessing, mean: [0.5, 0.45, 0.5] as const };
    const comparison = await compare(changed({ preprocessing }), { pictures: { type: 'uint8', layout: 'NHWC' } });
    assert.ok(comparison.relativeDifference > comparison.tolerance, JSON.stringify(comparison));
    assert.equal(comparison.divergingLayer?.name, 'input');
  });

  test('another weight is found, and the picture that showed it most is named', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const bias = { shape: [3], data: Float32Array.of(3, 0, 0) };
    const written = { ...model, weights: new Map([...model.weights, ['fc.bias', bias]]) };
    const black = {
      name: 'black.png',
      pixels: new Uint8Array(generatedPictures(model.network)[0]?.pixels.length ?? 0),
    };
    const comparison = await compare(written, {}, [black]);
    assert.equal(comparison.inputs, 3);
    assert.equal(comparison.divergingLayer?.name, 'fc');
    const alone = await Promise.all(
      [black, ...generatedPictures(model.network)].map((picture) => relative(written, picture)),
    );
    const names = [black, ...generatedPictures(model.network)].map(({ name }) => name);
    assert.equal(comparison.input, names[alone.indexOf(Math.max(...alone))]);
  });

  async function relative(written: Model, picture: NamedPicture): Promise<number> {
    const { file, input, output, values } = writeOnnx(written);
    const exported = { file, input, output, values: [...values], pictures: null, softmax: false };
    return (await compareExport(engine, model, exported, other, [picture])).relativeDifference;
  }
});
