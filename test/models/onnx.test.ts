import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertClose, throwsModelError } from './fixtures.js';
import { count, kinds, network, node, run } from './onnxNetworks.js';
import { INT64, type NodeSpec, tensor } from './onnxWriter.js';
import { referenceOutput } from './reference.js';

describe('ONNX: operators, with values by hand', () => {
  test('Conv with pads, strides, bias', () => {
    // One 2x2 kernel of ones on [[0 1 2] [3 4 5]], padded on the left and on the top by one, stride 2 to the right.
    const model = network(
      [node('Conv', 'x w b', { pads: [1, 1, 0, 0], strides: [1, 2], kernel_shape: [2, 2] })],
      [tensor('w', [1, 1, 2, 2], [1, 1, 1, 1]), tensor('b', [1], [0.5])],
      13,
      [1, 2, 3],
    );
    assert.deepEqual(run(model, count(6)), [0 + 0.5, 3 + 0.5, 3 + 0.5, 12 + 0.5]);
  });

  test('Conv with groups and auto_pad', () => {
    const conv = (auto_pad: string) =>
      network(
        [node('Conv', 'x w', { auto_pad, strides: [2, 2], group: 2 })],
        [tensor('w', [2, 1, 2, 2], [1, 0, 0, 0, 0, 0, 0, 1])],
        13,
        [2, 3, 3],
      );
    // 3 pixels at stride 2 with a kernel of 2 need one pixel of padding: behind (UPPER), or before (LOWER).
    assert.deepEqual(run(conv('SAME_UPPER'), count(18)), [0, 2, 6, 8, 13, 0, 0, 0]);
    assert.deepEqual(run(conv('SAME_LOWER'), count(18)), [0, 0, 0, 4, 9, 11, 15, 17]);
    assert.deepEqual(run(conv('VALID'), count(18)), [0, 13]);
  });

  test('BatchNormalization: old momentum means the old statistics', () => {
    const statistics = ['s', 'b', 'm', 'v'].map((name, index) => tensor(name, [1], [[2, 1, 3, 0.75][index] as number]));
    const model = network(
      [node('BatchNormalization', 'x s b m v', { epsilon: { float: 0.25 }, momentum: { float: 0.75 } })],
      statistics,
      9,
      [1, 1, 2],
    );
    assert.deepEqual(run(model, [3, 5]), [1, 5]);
    const norm = model.network.layers[1];
    assert.ok(norm?.kind === 'batchNorm' && norm.momentum === 0.25);
  });

  test('Clip as ReLU6 and ReLU, in old and new writing; Relu', () => {
    const bounds = [tensor('zero', [], [0]), tensor('six', [], [6])];
    for (const model of [
      network([node('Clip', 'x', { min: { float: 0 }, max: { float: 6 } })], [], 7, [1, 1, 3]),
      network([node('Clip', 'x zero six')], bounds, 11, [1, 1, 3]),
    ]) {
      assert.deepEqual(run(model, [-1, 5, 7]), [0, 5, 6]);
    }
    for (const nodes of [[node('Clip', 'x zero')], [node('Relu', 'x')]]) {
      assert.deepEqual(run(network(nodes, bounds, 11, [1, 1, 3]), [-1, 5, 7]), [0, 5, 7]);
    }
    const open = network([node('Clip', 'x - six')], bounds).network.layers[1];
    assert.ok(open?.kind === 'activation');
    assert.deepEqual(open.activation, { kind: 'clip', min: null, max: 6 });
  });

  test('MaxPool and AveragePool with pads, ceil_mode and count_include_pad', () => {
    const pool = (op: string, attributes: NodeSpec['attributes']) =>
      run(
        network([node(op, 'x', { kernel_shape: [2, 2], strides: [2, 2], ...attributes })], [], 13, [1, 3, 3]),
        count(9),
      );
    assert.deepEqual(pool('MaxPool', {}), [4]);
    assert.deepEqual(pool('MaxPool', { ceil_mode: 1 }), [4, 5, 7, 8]);
    assert.deepEqual(pool('MaxPool', { pads: [1, 1, 0, 0] }), [0, 2, 6, 8]);
    assert.deepEqual(pool('AveragePool', { pads: [1, 1, 0, 0] }), [0, 1.5, 4.5, 6]);
    assert.deepEqual(pool('AveragePool', { pads: [1, 1, 0, 0], count_include_pad: 1 }), [0, 0.75, 2.25, 6]);
    const dilated = network([node('MaxPool', 'x', { kernel_shape: [2, 2], dilations: [2, 3] })]).network.layers[1];
    assert.ok(dilated?.kind === 'maxPool');
    assert.deepEqual(dilated.dilation, [2, 3]);
  });

  test('GlobalAveragePool, GlobalMaxPool, and ReduceMean over the picture', () => {
    const x = count(8);
    const reduce = (keepdims: number) =>
      network([node('ReduceMean', 'x', { axes: [-1, 2], keepdims })], [], 13, [2, 2, 2]);
    assert.deepEqual(run(network([node('GlobalAveragePool', 'x')], [], 13, [2, 2, 2]), x), [1.5, 5.5]);
    assert.deepEqual(run(network([node('GlobalMaxPool', 'x')], [], 13, [2, 2, 2]), x), [3, 7]);
    assert.deepEqual(run(reduce(1), x), [1.5, 5.5]);
    assert.deepEqual(referenceOutput(reduce(0).network, reduce(0).weights, x).shape, [1, 2]);
    const newer = network([node('ReduceMean', 'x axes')], [tensor('axes', [2], [2, 3], INT64)], 18, [2, 2, 2]);
    assert.deepEqual(run(newer, x), [1.5, 5.5]);
    assert.deepEqual(kinds(network([node('ReduceMean', 'x', { axes: [1] })])), ['input', 'reduce']);
  });

  test('Gemm in all its forms, and MatMul with Add', () => {
    const flat = node('Flatten', 'x', {}, 'f');
    const outIn = [1, 2, 3, 4, 5, 6]; // [2, 3]
    const inOut = [1, 4, 2, 5, 3, 6]; // [3, 2]
    const bias = tensor('c', [2], [10, 20]);
    const gemm = (attributes: NodeSpec['attributes'], w: Uint8Array) =>
      run(network([flat, node('Gemm', 'f w c', attributes)], [w, bias], 13, [3, 1, 1]), [1, 0, -1]);
    assert.deepEqual(gemm({ transB: 1 }, tensor('w', [2, 3], outIn)), [8, 18]);
    assert.deepEqual(gemm({}, tensor('w', [3, 2], inOut)), [8, 18]);
    assert.deepEqual(gemm({ alpha: { float: 2 }, beta: { float: 0.5 } }, tensor('w', [3, 2], inOut)), [1, 6]);
    // A transposed input mixes the pictures of a batch.
    throwsModelError(() => gemm({ transA: 1 }, tensor('w', [1, 2], [1, 2])), 'INVALID_NETWORK');
    const matMul = [flat, node('MatMul', 'f w', {}, 'p'), node('Add', 'p c')];
    const model = network(matMul, [tensor('w', [3, 2], inOut), bias], 13, [3, 1, 1]);
    assert.deepEqual(run(model, [1, 0, -1]), [8, 18]);
    assert.deepEqual(kinds(model), ['input', 'flatten', 'dense']);
    const scalar = network(
      [flat, node('Gemm', 'f w c')],
      [tensor('w', [3, 2], inOut), tensor('c', [1], [1])],
      13,
      [3, 1, 1],
    );
    assert.deepEqual(run(scalar, [1, 0, -1]), [-1, -1]);
  });

  test('Add of layers, and of a bias to a convolution', () => {
    const w = tensor('w', [2, 1, 1, 1], [1, 2]);
    const biased = [node('Conv', 'x w', {}, 'c'), node('Add', 'b c', {}, 'd'), node('Add', 'd d')];
    const model = network(biased, [w, tensor('b', [1, 2, 1, 1], [10, 20])], 13, [1, 1, 2]);
    assert.deepEqual(run(model, [1, 2]), [22, 24, 44, 48]);
    assert.deepEqual(kinds(model), ['input', 'conv2d', 'add']);
    const shifted = network([node('Add', 'x b')], [tensor('b', [1], [1])]);
    assert.deepEqual(kinds(shifted), ['input', 'parameter', 'binary']);
  });

  test('Concat, Pad, Dropout, Identity', () => {
    const nodes = [
      node('Pad', 'x pads', {}, 'p'),
      node('Identity', 'p', {}, 'i'),
      node('Dropout', 'i', {}, 'd mask'),
      node('Concat', 'd p', { axis: -3 }),
    ];
    const pads = tensor('pads', [8], [0, 0, 1, 0, 0, 0, 0, 1], INT64);
    const model = network(nodes, [pads], 13, [1, 1, 2]);
    assert.deepEqual(run(model, [1, 2]), [0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 2, 0]);
    const old = network([node('Pad', 'x', { mode: 'constant', pads: [0, 0, 1, 0, 0, 0, 0, 1] })], [], 10, [1, 1, 2]);
    assert.deepEqual(run(old, [1, 2]), [0, 0, 0, 1, 2, 0]);
    const mirrored = network([node('Pad', 'x', { mode: 'reflect', pads: [0, 0, 1, 0, 0, 0, 0, 1] })], [], 10);
    assert.deepEqual(kinds(mirrored), ['input', 'pad']);
    assert.throws(
      () => network([node('Pad', 'x', { mode: 'odd', pads: [0, 0, 1, 0, 0, 0, 0, 1] })], [], 10),
      /mode = odd/,
    );
    const axes = [tensor('pads', [2], [1, 0], INT64), tensor('axes', [1], [-1], INT64)];
    assert.deepEqual(run(network([node('Pad', 'x pads - axes')], axes, 18, [1, 1, 2]), [1, 2]), [0, 1, 2]);
  });

  test('Softmax: its default axis changed with operator set 13', () => {
    const softmax = (opset: number, dims: number[], attributes: NodeSpec['attributes'] = {}) =>
      network([node('Softmax', 'x', attributes)], [], opset, dims);
    const expected = [1 / (1 + Math.E), Math.E / (1 + Math.E)];
    assertClose(run(softmax(12, [2, 1, 1]), [0, 1]), expected, 1e-12);
    assertClose(run(softmax(13, [2, 1, 1], { axis: 1 }), [0, 1]), expected, 1e-12);
    assert.deepEqual(kinds(softmax(13, [2, 1, 1])), ['input', 'softmax']);
    // Over channels and pixels at once.
    assert.deepEqual(kinds(softmax(12, [2, 2, 1])), ['input', 'flatten', 'softmax', 'reshape']);
  });
});

describe('ONNX: flattening in all the ways of exporters', () => {
  const x = count(12);
  const flattens = (nodes: NodeSpec[], initializers: Uint8Array[] = [], opset = 13) => {
    const model = network(nodes, initializers, opset, [3, 2, 2]);
    assert.deepEqual(referenceOutput(model.network, model.weights, x).shape, [1, 12]);
    assert.deepEqual(run(model, x), [...x]);
  };
  test('Flatten', () => flattens([node('Flatten', 'x')]));
  for (const target of [
    [-1, 12],
    [0, -1],
    [1, -1],
    [0, 12],
  ]) {
    test(`Reshape to [${target.join(', ')}]`, () => {
      flattens([node('Reshape', 'x shape')], [tensor('shape', [2], target, INT64)]);
      flattens([node('Constant', '', { value: tensor('', [2], target, INT64) }, 'shape'), node('Reshape', 'x shape')]);
    });
  }
  test("PyTorch's view(x.size(0), -1): Shape, Gather, Unsqueeze, Concat", () => {
    flattens(
      [
        node('Shape', 'x', {}, 's'),
        node('Gather', 's zero', { axis: 0 }, 'n'),
        node('Unsqueeze', 'n', { axes: [0] }, 'u'),
        node('Concat', 'u minus', { axis: 0 }, 'shape'),
        node('Reshape', 'x shape'),
      ],
      [tensor('zero', [], [0], INT64), tensor('minus', [1], [-1], INT64)],
      11,
    );
  });
  test('computed: Shape, Slice, Mul of gathered sizes', () => {
    const one = (name: string, value: number) => tensor(name, [1], [value], INT64);
    flattens(
      [
        node('Shape', 'x', {}, 's'),
        node('Slice', 's i0 i1', {}, 'n'),
        node('Slice', 's i1 i2', {}, 'c'),
        node('Slice', 's i2 i4', {}, 'hw'),
        node('Gather', 'hw g', {}, 'h'),
        node('Mul', 'h h', {}, 'pixels'),
        node('Mul', 'c pixels', {}, 'f'),
        node('Cast', 'f', { to: INT64 }, 'k'),
        node('Concat', 'n k', { axis: 0 }, 'shape'),
        node('Reshape', 'x shape'),
      ],
      [one('i0', 0), one('i1', 1), one('i2', 2), one('i4', 4), one('g', 0)],
    );
  });
  test('Squeeze of one pixel', () => {
    const nodes = [node('GlobalAveragePool', 'x', {}, 'p'), node('Squeeze', 'p axes')];
    const model = network(nodes, [tensor('axes', [2], [3, 2], INT64)], 13, [3, 2, 2]);
    assert.deepEqual(referenceOutput(model.network, model.weights, x).shape, [1, 3]);
  });
  test('to other shapes, but not across pictures', () => {
    const to = (shape: number[]) =>
      network([node('Reshape', 'x s')], [tensor('s', [shape.length], shape, INT64)], 13, [3, 2, 2]);
    assert.deepEqual(kinds(to([0, 2, 6])), ['input', 'reshape']);
    assert.deepEqual(kinds(to([-1, 2, 6])), ['input', 'reshape']);
    throwsModelError(() => to([-1]), 'INVALID_NETWORK', /one picture at a time/);
    throwsModelError(() => to([0, 7, -1]), 'INVALID_FILE', /cannot become/);
  });
});
