import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { compareReference, findImportDivergence } from '../../src/jobs/compareReference.js';
import type { Engine } from '../../src/kernels/engine.js';
import { softmaxRows } from '../../src/models/comparison.js';
import { importModel } from '../../src/models/detect.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import type { Model } from '../../src/models/graph.js';
import type { Layer } from '../../src/models/network.js';
import { normalized } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { findOnnxRuntime, type OtherEngine } from '../../src/runtime/onnxRuntime.js';
import { uniform } from '../models/fixtures.js';
import { freshSeed, seeded, smallNetwork } from '../training/fixtures.js';

const seed = freshSeed();
const [COUNT, SIDE] = [3, 12];

describe('an import beside its reference', () => {
  let engine: Engine;
  let other: OtherEngine;
  let file: Uint8Array;
  let imported: Model;
  let inputs: Float32Array;
  let expected: Float32Array;
  const names = ['first', 'second', 'third'];
  before(async () => {
    engine = await openEngine();
    other = (await findOnnxRuntime()) as OtherEngine;
    const original = smallNetwork(['a', 'b', 'c'], seeded(seed));
    file = exportOnnx(original);
    imported = importModel({ 'model.onnx': file }, { preprocessing: original.network.preprocessing });
    inputs = uniform(new Random(seed), COUNT * 3 * SIDE * SIDE);
    const outputs = await other.run(file, { input: { shape: [COUNT, 3, SIDE, SIDE], data: inputs } });
    expected = Object.values(outputs)[0] as Float32Array;
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  const run = (model: Model, changes: object = {}) =>
    compareReference(engine, model, { inputs, names, expected, source: 'y.npy', tolerance: 1e-4, ...changes });
  const wrong = (): Model => {
    const layers = imported.network.layers.map((layer) =>
      layer.kind === 'batchNorm' && layer.name === 'bn2' ? ({ ...layer, epsilon: 0.3 } as Layer) : layer,
    );
    return { ...imported, network: { ...imported.network, layers } };
  };

  test('a good import is within the tolerance, by logits and by probabilities', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const comparison = await run(imported);
    assert.equal(comparison.against, 'reference outputs (y.npy)');
    assert.deepEqual([comparison.inputs, comparison.values], [COUNT, 'logits']);
    assert.ok(comparison.relativeDifference <= 1e-4, JSON.stringify(comparison));
    const probable = await run(imported, { expected: Float32Array.from(softmaxRows(expected, COUNT)) });
    assert.equal(probable.values, 'probabilities');
    assert.ok(probable.relativeDifference <= 1e-4, JSON.stringify(probable));
  });

  test('a wrong one is found, with the input that shows it and the layer', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const comparison = await run(wrong());
    assert.ok(comparison.relativeDifference > 1e-3, JSON.stringify(comparison));
    assert.ok(names.includes(comparison.input));
    const row = names.indexOf(comparison.input);
    const size = inputs.length / COUNT;
    const input = inputs.slice(row * size, (row + 1) * size);
    assert.equal((await findImportDivergence(engine, wrong(), file, other, input))?.name, 'bn2');
    assert.equal(await findImportDivergence(engine, imported, file, other, input), null);
  });

  test('pictures go through the preprocessing, and a wrong one shows', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const random = new Random(seed);
    const pictures = Uint8Array.from({ length: COUNT * 3 * SIDE * SIDE }, () => Math.floor(256 * random.uniform()));
    const data = normalized(pictures, imported.network.preprocessing);
    const outputs = await other.run(file, { input: { shape: [COUNT, 3, SIDE, SIDE], data } });
    const given = { inputs: pictures, expected: Object.values(outputs)[0] };
    const good = await run(imported, given);
    assert.ok(good.relativeDifference <= 1e-4, JSON.stringify(good));
    const preprocessing = { ...imported.network.preprocessing, mean: [0.1, 0.5, 0.5] as const };
    const bad = await run({ ...imported, network: { ...imported.network, preprocessing } }, given);
    assert.ok(bad.relativeDifference > 1e-2, JSON.stringify(bad));
  });

  test('outputs of another size are refused', async () => {
    await assert.rejects(run(imported, { expected: new Float32Array(COUNT * 4) }), /gives 3 values.*has 4/);
  });
});
