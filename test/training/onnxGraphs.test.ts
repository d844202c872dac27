import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { importModel } from '../../src/models/detect.js';
import { importOnnxGraph } from '../../src/models/formats/onnx.js';
import { replaceHead } from '../../src/models/head.js';
import type { WeightTensor } from '../../src/models/network.js';
import { Random } from '../../src/models/random.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { runGraph } from '../../src/training/runGraph.js';
import { trainNetwork } from '../../src/training/trainer.js';
import { DEFAULT_TRAINING_OPTIONS } from '../../src/training/types.js';
import { freshSeed as seedOf, uniform } from '../models/fixtures.js';
import { node } from '../models/onnxNetworks.js';
import { runOnnx } from '../models/onnxRuntime.js';
import { INT64, type NodeSpec, onnxFile, rawTensor, tensor, valueInfo } from '../models/onnxWriter.js';
import { colourPictures, freshSeed, seeded } from './fixtures.js';

interface Case {
  readonly shape: readonly number[];
  readonly nodes: readonly NodeSpec[];
  /** Shapes of random weights by name. */
  readonly weights?: Readonly<Record<string, readonly number[]>>;
  readonly constants?: readonly Uint8Array[];
  readonly opset?: number;
}

const ints = (name: string, ...values: number[]) => tensor(name, [values.length], values, INT64);
const int8 = (name: string, dims: readonly number[], values: readonly number[]) =>
  rawTensor(name, dims, 3, new Uint8Array(Int8Array.from(values).buffer));
/** A node that ends in y where nothing else is said. */
const chain = (...nodes: NodeSpec[]) => nodes;

/** Graphs of a few operators on one input x; all end in y. */
const CASES: Readonly<Record<string, Case>> = {
  'convolution over lines': {
    shape: [2, 4, 9],
    weights: { w: [6, 2, 3], b: [6] },
    nodes: chain(node('Conv', 'x w b', { group: 2, strides: [2], pads: [1, 2], dilations: [2] })),
  },
  'convolution and pooling of volumes': {
    shape: [1, 2, 5, 6, 7],
    weights: { w: [3, 2, 2, 3, 3] },
    nodes: chain(
      node('Conv', 'x w', { strides: [1, 2, 1], pads: [1, 0, 1, 0, 1, 1] }, 'c'),
      node('MaxPool', 'c', { kernel_shape: [2, 2, 2], strides: [2, 1, 2] }, 'm'),
      node('AveragePool', 'm', { kernel_shape: [2, 1, 2], pads: [1, 0, 0, 0, 0, 1], count_include_pad: 0 }),
    ),
  },
  'transposed convolution': {
    shape: [2, 4, 5, 4],
    weights: { w: [4, 3, 3, 2], b: [6] },
    nodes: chain(
      node('ConvTranspose', 'x w b', { group: 2, strides: [2, 3], pads: [1, 0, 0, 1], output_padding: [1, 2] }),
    ),
  },
  'transposed convolution to a given shape, over lines': {
    shape: [2, 3, 5],
    weights: { w: [3, 2, 4] },
    nodes: chain(node('ConvTranspose', 'x w', { strides: [2], output_shape: [9] })),
  },
  'norms with and without their statistics': {
    shape: [2, 4, 3, 5],
    weights: { s: [4], b: [4], ls: [5], lb: [5] },
    nodes: chain(
      node('InstanceNormalization', 'x s b', { epsilon: { float: 0.01 } }, 'i'),
      node('LayerNormalization', 'i ls lb', { axis: -1 }, 'l'),
      node('LRN', 'l', { size: 3, alpha: { float: 0.5 } }, 'r'),
      node('LpNormalization', 'r', { axis: 1, p: 2 }),
    ),
    opset: 17,
  },
  'quantised weights, a scale for each channel': {
    shape: [2, 3, 4, 4],
    constants: [
      int8('q', [2, 3, 1, 1], [127, -3, 5, 64, -128, 9]),
      tensor('scale', [2], [0.01, 0.05]),
      int8('zero', [2], [3, -2]),
    ],
    nodes: chain(node('DequantizeLinear', 'q scale zero', { axis: 0 }, 'w'), node('Conv', 'x w')),
  },
  'weights that are computed: normalised, transposed': {
    shape: [3, 4],
    weights: { v: [5, 4], g: [5, 1] },
    constants: [tensor('axis', [1], [1], INT64)],
    nodes: chain(
      node('ReduceL2', 'v', { axes: [1], keepdims: 1 }, 'norm'),
      node('Div', 'v norm', {}, 'unit'),
      node('Mul', 'unit g', {}, 'scaled'),
      node('Transpose', 'scaled', { perm: [1, 0] }, 'w'),
      node('MatMul', 'x w'),
    ),
  },
  'shapes that are computed': {
    shape: [2, 6, 4, 4],
    constants: [ints('two', 2), ints('minus', -1), tensor('i0', [], [0], INT64), tensor('i1', [], [1], INT64)],
    nodes: chain(
      node('Shape', 'x', {}, 's'),
      node('Gather', 's i0', {}, 'n'),
      node('Gather', 's i1', {}, 'c'),
      node('Div', 'c two', {}, 'half'),
      node('Unsqueeze', 'n axis0', {}, 'n1'),
      node('Concat', 'n1 two half minus', { axis: 0 }, 'target'),
      node('Reshape', 'x target', {}, 'parts'),
      node('Transpose', 'parts', { perm: [0, 2, 1, 3] }, 'turned'),
      node('Reshape', 'turned s'),
    ),
    opset: 13,
  },
  'slices, parts, tiles, padding': {
    shape: [2, 5, 4, 3],
    constants: [ints('from', -1, 0), ints('to', -6, 9), ints('axes', 2, 1), ints('steps', -2, 2), ints('sizes', 1, 2)],
    nodes: chain(
      node('Slice', 'x from to axes steps', {}, 's'),
      node('Split', 's sizes', { axis: 1 }, 'a b'),
      node('Tile', 'a times', {}, 't'),
      node('Concat', 'b t', { axis: 1 }, 'c'),
      node('Pad', 'c pads', { mode: 'edge' }),
    ),
    opset: 13,
  },
  'cubic, antialiased and asymmetric resizing': {
    shape: [1, 2, 6, 5],
    constants: [tensor('none', [0], []), tensor('scales', [4], [1, 1, 1.5, 2]), ints('sizes', 1, 2, 4, 7)],
    nodes: chain(
      node('Resize', 'x none scales', { mode: 'cubic', cubic_coeff_a: { float: -0.5 } }, 'c'),
      node('Resize', 'c none - sizes', { mode: 'linear', antialias: 1 }, 'a'),
      node('Resize', 'a none scales', { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }),
    ),
    opset: 18,
  },
  'reductions and order': {
    shape: [3, 7, 4],
    constants: [ints('k', 3), tensor('axis', [], [1], INT64)],
    nodes: chain(
      node('TopK', 'x k', { axis: 1 }, 'v i'),
      node('Cast', 'i', { to: 1 }, 'f'),
      node('Add', 'v f', {}, 'sum'),
      node('CumSum', 'sum axis', { exclusive: 1 }, 'c'),
      node('ReduceLogSumExp', 'c', { axes: [2], keepdims: 0 }, 'l'),
      node('ReduceProd', 'l', { axes: [0], keepdims: 1 }),
    ),
    opset: 13,
  },
  'choices and classes': {
    shape: [3, 5],
    constants: [tensor('depth', [], [5], INT64), tensor('values', [2], [-1, 2]), tensor('zero', [], [0])],
    nodes: chain(
      node('ArgMax', 'x', { axis: 1, keepdims: 0 }, 'best'),
      node('OneHot', 'best depth values', { axis: -1 }, 'hot'),
      node('Greater', 'x zero', {}, 'positive'),
      node('Where', 'positive hot x', {}, 'chosen'),
      node('PRelu', 'chosen slope'),
    ),
    weights: { slope: [3, 5] },
  },
  'blocks of pixels and squeezed excitement': {
    shape: [2, 8, 4, 4],
    weights: { w: [2, 2, 1, 1], gamma: [2, 1, 1] },
    nodes: chain(
      node('DepthToSpace', 'x', { blocksize: 2, mode: 'CRD' }, 'd'),
      node('GlobalAveragePool', 'd', {}, 'p'),
      node('Conv', 'p w', {}, 'c'),
      node('HardSigmoid', 'c', { alpha: { float: 0.1667 }, beta: { float: 0.5 } }, 'h'),
      node('Mul', 'd h', {}, 'm'),
      node('Mul', 'gamma m', {}, 'g'),
      node('SpaceToDepth', 'g', { blocksize: 2 }),
    ),
  },
  'Gemm of matrices that are computed': {
    shape: [4, 3],
    weights: { c: [3] },
    nodes: chain(
      node('Gemm', 'x x c', { transA: 1, alpha: { float: 0.5 }, beta: { float: 2 } }, 'g'),
      node('Softmax', 'g', { axis: 0 }),
    ),
  },
};

const SHARED_CONSTANTS = [ints('axis0', 0), ints('times', 1, 2, 1, 1), ints('pads', 0, 0, 1, 0, 0, 1, 0, 2)];

describe('ONNX graphs give what ONNX Runtime gives', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  for (const [name, { shape, nodes, weights = {}, constants = [], opset = 13 }] of Object.entries(CASES)) {
    test(name, async (t) => {
      const random = new Random(seedOf(t));
      const size = (sizes: readonly number[]) => sizes.reduce((product, length) => product * length, 1);
      const made = Object.entries(weights).map(([key, dims]) => tensor(key, dims, uniform(random, size(dims), -1, 1)));
      const read = new Set(nodes.flatMap(({ inputs }) => inputs));
      // Constants that several cases use.
      const shared = ['axis0', 'times', 'pads'].flatMap((key, i) =>
        read.has(key) ? [SHARED_CONSTANTS[i] as Uint8Array] : [],
      );
      const open = shape.map((length, axis) => (axis === 0 ? 'N' : length));
      const file = onnxFile({
        nodes,
        initializers: [...made, ...constants, ...shared],
        inputs: [valueInfo('x', open)],
        outputs: [valueInfo('y', ['a', 'b'])],
        opset,
      });
      const x = { shape, data: uniform(random, size(shape), -2, 2) };
      const expected = (await runOnnx(file, { x })).y;
      const model = importOnnxGraph(file, { given: () => new Map([['x', { shape }]]) });
      const actual = (await runGraph(engine, model.graph, model.weights, new Map([['x', x]]))).get('y');
      assert.deepEqual([...(actual?.shape ?? [])], [...(expected?.shape ?? [])]);
      const largest = Math.max(1, ...(expected?.data ?? []).map(Math.abs));
      expected?.data.forEach((value, i) => {
        const found = actual?.data[i] as number;
        assert.ok(Math.abs(found - value) <= 2e-5 * largest, `y[${i}]: ${found} instead of ${value}`);
      });
    });
  }

  test('an imported network is fine-tuned: convolution, norms and scales move, constants do not', async (t) => {
    const seed = freshSeed();
    t.diagnostic(`seed ${seed}`);
    const random = new Random(seed);
    const values = (name: string, dims: number[], low = -1, high = 1) =>
      tensor(
        name,
        dims,
        uniform(
          random,
          dims.reduce((product, length) => product * length, 1),
          low,
          high,
        ),
      );
    const file = onnxFile({
      nodes: [
        node('Conv', 'x w', { strides: [2, 2], pads: [0, 0, 1, 1] }, 'c', 'conv'),
        node('BatchNormalization', 'c s b m v', {}, 'n', 'norm'),
        node('HardSwish', 'n', {}, 'h', 'act'),
        node('Mul', 'h gamma', {}, 'g', 'scale'),
        node('Add', 'g half', {}, 'a', 'shift'),
        node('GlobalAveragePool', 'a', {}, 'p', 'pool'),
        node('Flatten', 'p', {}, 'f', 'flat'),
        node('Gemm', 'f k', {}, 'y', 'classifier'),
        { ...node('Constant', '', { value: tensor('', [1], [0.5]) }, 'half', 'half'), inputs: [] },
      ].toSorted((left, right) => Number(right.op === 'Constant') - Number(left.op === 'Constant')),
      initializers: [
        values('w', [6, 3, 3, 3]),
        values('s', [6], 0.5, 1.5),
        values('b', [6]),
        values('m', [6]),
        values('v', [6], 0.5, 1.5),
        values('gamma', [6, 1, 1], 0.5, 1.5),
        values('k', [6, 10]),
      ],
      inputs: [valueInfo('x', [1, 3, 12, 12])],
      opset: 14,
    });
    const classes = ['red', 'green', 'blue'];
    const imported = replaceHead(importModel({ 'model.onnx': file }), { classes, seed: 3 });
    const pictures = colourPictures(36, 3, seeded(seed), 'p');
    const losses: number[] = [];
    const { last: weights } = await trainNetwork({
      engine,
      ...imported,
      train: pictures.samples.slice(0, 24),
      validation: pictures.samples.slice(24),
      pictures: pictures.source,
      options: { ...DEFAULT_TRAINING_OPTIONS, batchSize: 8, epochs: 8, learningRate: 0.02 },
      signal: new AbortController().signal,
      onProgress: (event) => {
        if (event.type === 'epoch') losses.push(event.trainLoss);
      },
    });
    assert.ok((losses.at(-1) as number) < 0.9 * (losses[0] as number), `losses ${losses.join(', ')}`);
    const moved = (name: string) => {
      const [old, now] = [imported.weights.get(name), weights.get(name)] as [WeightTensor, WeightTensor];
      return now.data.some((value, i) => value !== old.data[i]);
    };
    for (const name of ['w', 's', 'b', 'm', 'v', 'gamma']) assert.ok(moved(name), `${name} did not move`);
    assert.ok(!moved('half'), 'a constant moved');
    assert.equal(
      imported.network.layers.some(({ name }) => name === 'classifier'),
      false,
    );
  });
});
