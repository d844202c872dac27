import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelError } from '../../src/models/errors.js';
import { importOnnx } from '../../src/models/formats/onnx.js';
import { Random } from '../../src/models/random.js';
import { freshSeed, throwsModelError, uniform } from './fixtures.js';
import { count, network, node, picture, run } from './onnxNetworks.js';
import { FLOAT, INT64, onnxFile, rawTensor, tensor, valueInfo } from './onnxWriter.js';

describe('ONNX: weights in all the ways of files', () => {
  const values = [1, -2, 0.5];
  const w = (bytes: Uint8Array) => run(network([node('Conv', 'x w')], [bytes], 13, [3, 1, 1]), [1, 1, 4]);
  const dims = [1, 3, 1, 1];
  test('raw, typed packed, typed one by one', () => {
    for (const storage of ['raw', 'typed', 'unpacked'] as const) {
      assert.deepEqual(w(tensor('w', dims, values, FLOAT, storage)), [1]);
    }
  });
  test('float16, bfloat16, float64, int8, and 16-bit floats in int32_data', () => {
    assert.deepEqual(w(rawTensor('w', dims, 10, new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3800).buffer))), [1]);
    assert.deepEqual(w(rawTensor('w', dims, 16, new Uint8Array(Uint16Array.of(0x3f80, 0xc000, 0x3f00).buffer))), [1]);
    assert.deepEqual(w(rawTensor('w', dims, 11, new Uint8Array(Float64Array.of(...values).buffer))), [1]);
    assert.deepEqual(w(rawTensor('w', dims, 3, new Uint8Array(Int8Array.of(1, -2, 3).buffer))), [11]);
    assert.deepEqual(w(tensor('w', dims, [0x3c00, 0xc000, 0x3800], 10, 'typed')), [1]);
  });
  test('as Constant, as ConstantOfShape, transposed', () => {
    const constant = [node('Constant', '', { value: tensor('', dims, values) }, 'w'), node('Conv', 'x w')];
    assert.deepEqual(run(network(constant, [], 13, [3, 1, 1]), [1, 1, 4]), [1]);
    const filled = [node('ConstantOfShape', 's', { value: tensor('', [1], [2]) }, 'w'), node('Conv', 'x w')];
    assert.deepEqual(run(network(filled, [tensor('s', [4], dims, INT64)], 13, [3, 1, 1]), [1, 1, 4]), [12]);
    const turned = [
      node('Flatten', 'x', {}, 'f'),
      node('Transpose', 'v', { perm: [1, 0] }, 'w'),
      node('MatMul', 'f w'),
    ];
    assert.deepEqual(
      run(network(turned, [tensor('v', [2, 3], [1, 2, 3, 4, 5, 6])], 13, [3, 1, 1]), [1, 0, -1]),
      [-2, -2],
    );
  });
  test('old files list initializers among the inputs', () => {
    const inputs = [picture(3, 1, 1), valueInfo('w', dims)];
    const model = importOnnx(
      onnxFile({ nodes: [node('Conv', 'x w')], initializers: [tensor('w', dims, values)], inputs, opset: 7 }),
    );
    assert.deepEqual(run(model, [1, 1, 4]), [1]);
  });
  test('one initializer used by two layers becomes two weights', () => {
    const nodes = [node('Conv', 'x w', {}, 'a', 'first'), node('Conv', 'a w', {}, 'y', 'second')];
    const { weights } = network(nodes, [tensor('w', [3, 3, 1, 1], count(9))]);
    assert.deepEqual([...weights.keys()], ['w', 'w_1']);
    assert.deepEqual(weights.get('w'), weights.get('w_1'));
  });
  test('wrong sizes are refused', () => {
    throwsModelError(() => w(tensor('w', dims, [1, 2])), 'INVALID_FILE', /takes 12 bytes; it has 8/);
    throwsModelError(() => w(tensor('w', dims, [1, 2], FLOAT, 'typed')), 'INVALID_FILE', /3 values; the file holds 2/);
    throwsModelError(() => w(tensor('w', [2 ** 31, 2 ** 31], [1])), 'INVALID_FILE', /not possible/);
    throwsModelError(() => w(tensor('w', [-3], [1])), 'INVALID_FILE', /not possible/);
    const huge = [node('ConstantOfShape', 's', {}, 'w'), node('Conv', 'x w')];
    throwsModelError(() => network(huge, [tensor('s', [2], [40000, 40000], INT64)]), 'INVALID_FILE', /constant values/);
  });
});

describe('ONNX: what cannot be imported is said', () => {
  test('everything unsupported in one list, with operator, attribute and node', () => {
    const nodes = [
      node('Relu', 'x', {}, 'a', 'fine'),
      node('LSTM', 'a', {}, 'b', 'recurrent'),
      node('Clip', 'b', {}, 'c', 'unknowable'),
      node('DepthToSpace', 'a', { mode: 'odd', blocksize: 1 }, 'd', 'blocks'),
      { ...node('Conv', 'c', {}, 'e', 'foreign'), domain: 'com.microsoft' },
      node('GridSample', 'e d', {}, 'y'),
    ];
    assert.throws(
      () => network(nodes),
      (error) => {
        assert.ok(error instanceof ModelError && error.code === 'UNSUPPORTED');
        const found = error.problems.map(({ layer, kind, attribute }) => [kind, layer, attribute]);
        assert.deepEqual(found, [
          ['LSTM', 'recurrent', null],
          ['DepthToSpace', 'blocks', 'mode = odd'],
          ['Conv', 'foreign', 'domain com.microsoft'],
          ['GridSample', 'y', null],
        ]);
        for (const part of ['LSTM recurrent', 'mode = odd', 'GridSample y']) assert.ok(error.message.includes(part));
        return true;
      },
    );
  });

  test('graphs that are not one picture in, one vector out', () => {
    const relu = [node('Relu', 'x')];
    throwsModelError(() => importOnnx(onnxFile({ nodes: relu, inputs: [] })), 'INVALID_FILE', /0 inputs/);
    const two = [picture(3, 4, 4), valueInfo('z', [1, 3, 4, 4])];
    throwsModelError(() => importOnnx(onnxFile({ nodes: relu, inputs: two })), 'INVALID_FILE', /2 inputs \(x, z\)/);
    throwsModelError(() => importOnnx(onnxFile({ nodes: relu, inputs: [picture(3)] })), 'INVALID_FILE', /pictures are/);
    throwsModelError(
      () => importOnnx(onnxFile({ nodes: relu, inputs: [picture(3, 4, 4)], outputs: ['y', 'x'] })),
      'INVALID_FILE',
      /2 outputs/,
    );
    throwsModelError(
      () => importOnnx(onnxFile({ nodes: relu, inputs: [picture(3, 4, 4)], opset: 6 })),
      'INVALID_FILE',
      /operator set 6/,
    );
    throwsModelError(() => network([node('Relu', 'nothing')]), 'INVALID_FILE', /reads nothing/);
    throwsModelError(() => network([node('Relu', 'x', {}, 'x')]), 'INVALID_FILE', /defined twice/);
  });

  test('an open input size is filled in', () => {
    const file = onnxFile({ nodes: [node('GlobalAveragePool', 'x')], inputs: [picture(3, 'h', 'w')] });
    assert.deepEqual(importOnnx(file).network.preprocessing.height, 224);
    assert.deepEqual(importOnnx(file, { inputSize: 96 }).network.preprocessing.width, 96);
  });

  test('truncated and bit-flipped files give ModelError or a valid model, and no other error', (t) => {
    const random = new Random(freshSeed(t));
    const file = onnxFile({
      nodes: [
        node('Conv', 'x w b', { strides: [2, 2], pads: [1, 1, 1, 1] }, 'c', 'conv'),
        node('Clip', 'c zero six', {}, 'r'),
        node('GlobalAveragePool', 'r', {}, 'g'),
        node('Reshape', 'g s', {}, 'f'),
        node('Gemm', 'f m', { transB: 1 }),
      ],
      initializers: [
        tensor('w', [4, 3, 3, 3], uniform(random, 108)),
        tensor('b', [4], uniform(random, 4), FLOAT, 'typed'),
        tensor('zero', [], [0]),
        tensor('six', [], [6]),
        tensor('s', [2], [0, -1], INT64, 'typed'),
        tensor('m', [2, 4], uniform(random, 8)),
      ],
      inputs: [picture(3, 9, 9)],
    });
    assert.equal(importOnnx(file).network.layers.length, 6);
    for (let trial = 0; trial < 3000; trial++) {
      const copy = file.slice(0, trial % 3 === 0 ? random.uint32() % file.length : file.length);
      for (let flips = trial % 3; flips > 0; flips--) {
        const at = random.uint32() % copy.length;
        copy[at] = (copy[at] as number) ^ (1 << (random.uint32() % 8));
      }
      try {
        importOnnx(copy);
      } catch (error) {
        assert.ok(error instanceof ModelError, `trial ${trial}: ${(error as Error).stack}`);
      }
    }
  });
});
