import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { ModelError } from '../../src/models/errors.js';
import { importOnnxGraph } from '../../src/models/formats/onnx.js';
import { readOnnxModel } from '../../src/models/formats/onnx/proto.js';
import { readConstant } from '../../src/models/formats/onnx/tensor.js';
import type { Constant } from '../../src/models/formats/onnx/value.js';
import type { GivenInput } from '../../src/models/graphModel.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { type GraphValue, runGraph } from '../../src/training/runGraph.js';
import { onnxFile, valueInfo } from '../models/onnxWriter.js';

const FOLDER = '../shared/conformance/onnx-node';

/** Operators that train a network, which no file of one has, and values that are no tensors. */
const UNSUPPORTED = ['Adam', 'Momentum'];
/** Single tests that are not supported, with the reason. */
const UNSUPPORTED_TESTS: Readonly<Record<string, string>> = {
  test_identity_opt: 'an optional sequence of tensors',
  test_training_dropout: "random numbers of NumPy's generator",
  test_training_dropout_mask: "random numbers of NumPy's generator",
  test_training_dropout_default_mask: "random numbers of NumPy's generator",
};

/** A TensorProto file, read as the initializer of a file made around it. */
function readTensorFile(path: string): Constant {
  const bytes = new Uint8Array(readFileSync(path));
  const proto = readOnnxModel(onnxFile({ nodes: [], initializers: [bytes], inputs: [valueInfo('x', [1])] }));
  const [initializer] = proto.graph.initializers;
  if (!initializer) throw new Error(`${path} holds no tensor`);
  return readConstant(initializer, path, () => undefined);
}

/** ONNX's own tolerances for its backend tests. */
function assertAlike(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    const isAlike = Object.is(a, e) || a === e || Math.abs(a - e) <= 1e-7 + 1e-3 * Math.abs(e);
    assert.ok(isAlike || (Number.isNaN(a) && Number.isNaN(e)), `${what}[${i}]: ${a} instead of ${e}`);
  }
}

async function runTest(engine: Engine, name: string): Promise<void> {
  const file = new Uint8Array(readFileSync(`${FOLDER}/${name}/model.onnx`));
  const proto = readOnnxModel(file).graph;
  const data = `${FOLDER}/${name}/test_data_set_0`;
  const has = new Set(readdirSync(data));
  // A tensor beside a graph of optional values or sequences is none; the importer says so first.
  if (proto.inputs.some(({ dataType }) => dataType === 0)) importOnnxGraph(file);
  const given = new Map<string, GivenInput & { data: Float32Array | Float64Array }>();
  proto.inputs.forEach(({ name: input }, index) => {
    if (has.has(`input_${index}.pb`)) given.set(input, readTensorFile(`${data}/input_${index}.pb`));
  });
  const model = importOnnxGraph(file, { given: () => given });
  const inputs = new Map<string, GraphValue>();
  for (const { name: input, layer } of model.inputs) {
    const value = given.get(input);
    if (layer !== null && value) inputs.set(layer, { shape: value.shape, data: Float32Array.from(value.data) });
  }
  const computed = await runGraph(engine, model.graph, model.weights, inputs);
  model.outputs.forEach((output, index) => {
    const expected = readTensorFile(`${data}/output_${index}.pb`);
    const actual = output.constant ?? (computed.get(output.name) as GraphValue);
    assert.equal(output.type, expected.type, `${output.name}: type`);
    assert.deepEqual([...actual.shape], [...expected.shape], `${output.name}: shape`);
    assertAlike(actual.data, expected.data, output.name);
  });
}

describe("the ONNX project's single-operator tests", { skip: !existsSync(FOLDER) && `${FOLDER} is not there` }, () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  test('pass, all but those of operators that no CNN uses', async (t) => {
    const index = JSON.parse(readFileSync(`${FOLDER}/INDEX.json`, 'utf8')) as Record<string, { op: string }>;
    const tally = new Map<string, { passed: number; failed: string[]; unsupported: string[] }>();
    for (const [name, { op }] of Object.entries(index)) {
      const counts = tally.get(op) ?? { passed: 0, failed: [], unsupported: [] };
      tally.set(op, counts);
      try {
        await runTest(engine, name);
        counts.passed++;
      } catch (error) {
        const isUnsupported = error instanceof ModelError && error.code === 'UNSUPPORTED';
        if (isUnsupported) counts.unsupported.push(name);
        else counts.failed.push(`${name}: ${(error as Error).message}`);
      }
    }
    for (const [op, { passed, failed, unsupported }] of tally) {
      t.diagnostic(`${op}: ${passed} passed, ${failed.length} failed, ${unsupported.length} unsupported`);
    }
    const all = [...tally.values()];
    t.diagnostic(
      `all: ${all.reduce((sum, { passed }) => sum + passed, 0)} passed, ${all.reduce((sum, { failed }) => sum + failed.length, 0)} failed, ${all.reduce((sum, { unsupported }) => sum + unsupported.length, 0)} unsupported`,
    );
    assert.deepEqual(
      all.flatMap(({ failed }) => failed),
      [],
    );
    const unexpected = [...tally].flatMap(([op, { unsupported }]) => (UNSUPPORTED.includes(op) ? [] : unsupported));
    assert.deepEqual(
      unexpected.filter((name) => !Object.hasOwn(UNSUPPORTED_TESTS, name)),
      [],
    );
  });
});
