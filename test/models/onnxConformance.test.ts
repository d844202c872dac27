import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ModelError } from '../../src/models/errors.js';
import { readOnnxModel } from '../../src/models/formats/onnx/proto.js';
import { type Constant, readConstant } from '../../src/models/formats/onnx/tensor.js';
import { importOnnx } from '../../src/models/formats/onnx.js';
import { assertClose } from './fixtures.js';
import { INT64, onnxFile, rawTensor, tensor, valueInfo, withInitializers } from './onnxWriter.js';
import { referenceOutput } from './reference.js';

const FOLDER = '../shared/conformance/onnx-node';

/** Single-operator tests of the ONNX project that a network of Graft's layers can express. */
const MUST_PASS = [
  'test_averagepool_2d_default',
  'test_averagepool_2d_precomputed_strides',
  'test_averagepool_2d_strides',
  'test_basic_conv_with_padding',
  'test_basic_conv_without_padding',
  'test_conv_with_autopad_same',
  'test_conv_with_strides_and_asymmetric_padding',
  'test_conv_with_strides_padding',
  'test_maxpool_2d_ceil',
  'test_maxpool_2d_default',
  'test_maxpool_2d_same_lower',
  'test_maxpool_2d_strides',
];

/** A TensorProto file: the tensor of an initializer in a file made around it. */
function readTensorFile(path: string, name: string): { constant: Constant; bytes: Uint8Array } {
  const bytes = new Uint8Array(readFileSync(path));
  const file = onnxFile({ nodes: [], initializers: [bytes], inputs: [valueInfo('x', [1])] });
  const proto = readOnnxModel(file).graph.initializers[0];
  if (!proto) throw new Error(`${path} holds no tensor`);
  const constant = readConstant(proto, name, () => undefined);
  const isWide = constant.data instanceof Float64Array;
  const renamed = isWide
    ? tensor(name, constant.shape, constant.data, INT64)
    : rawTensor(
        name,
        constant.shape,
        1,
        new Uint8Array(constant.data.buffer, constant.data.byteOffset, constant.data.byteLength),
      );
  return { constant, bytes: renamed };
}

/** Imports a test's operator with all inputs but the first as constants; null where Graft refuses it. */
function outputs(name: string): { actual: Float64Array; expected: Constant } | null {
  const file = new Uint8Array(readFileSync(`${FOLDER}/${name}/model.onnx`));
  const data = (part: string) => `${FOLDER}/${name}/test_data_set_0/${part}.pb`;
  try {
    const { inputs } = readOnnxModel(file).graph;
    const [first, ...rest] = inputs.map((input, index) => readTensorFile(data(`input_${index}`), input.name));
    const model = importOnnx(
      withInitializers(
        file,
        rest.map(({ bytes }) => bytes),
      ),
    );
    const x = first?.constant as Constant;
    const expected = readTensorFile(data('output_0'), 'y').constant;
    return { actual: referenceOutput(model.network, model.weights, x.data, x.shape[0]).data, expected };
  } catch (error) {
    if (error instanceof ModelError) return null;
    throw error;
  }
}

describe("the ONNX project's single-operator tests", { skip: !existsSync(FOLDER) && `${FOLDER} is not there` }, () => {
  for (const name of MUST_PASS) {
    test(name, () => {
      const result = outputs(name);
      assert.ok(result, 'refused');
      assertClose(result.actual, result.expected.data);
    });
  }

  test('all others are either refused with a ModelError or right', (t) => {
    const index = JSON.parse(readFileSync(`${FOLDER}/INDEX.json`, 'utf8')) as Record<string, unknown>;
    const imported = Object.keys(index).filter((name) => {
      const result = outputs(name);
      if (result) assertClose(result.actual, result.expected.data);
      return result !== null;
    });
    t.diagnostic(`${imported.length} of ${Object.keys(index).length} imported: ${imported.join(', ')}`);
  });
});
