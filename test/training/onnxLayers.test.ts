import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import type { Layer } from '../../src/models/network.js';
import { unitPreprocessing } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { inferShapes } from '../../src/models/shapes.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { freshSeed, randomWeights, relativeError, throwsModelError, uniform } from '../models/fixtures.js';
import { onnxOutput } from '../models/onnxRuntime.js';
import { engineOutput } from './engineOutput.js';

const [CHANNELS, HEIGHT, WIDTH] = [6, 9, 7];
type Draft = Layer extends infer L
  ? L extends Layer
    ? Omit<L, 'learningRateFactor' | 'name' | 'inputs'> & {
        readonly name?: string;
        readonly inputs?: readonly string[];
      }
    : never
  : never;

/** These layers in a row on the input x, [6, 9, 7]; a layer may name what it reads. */
function network(drafts: readonly Draft[]) {
  const base = { learningRateFactor: 1 } as const;
  const shape = [CHANNELS, HEIGHT, WIDTH];
  const layers: Layer[] = [{ ...base, kind: 'input', name: 'x', inputs: [], shape, batched: true, type: 'float32' }];
  for (const draft of drafts) {
    layers.push({ ...base, name: `layer${layers.length}`, inputs: [layers.at(-1)?.name as string], ...draft } as Layer);
  }
  const preprocessing = unitPreprocessing(HEIGHT, WIDTH);
  return { architecture: 'layers', layers, preprocessing, classes: null, auxiliary: [] };
}

const affine = { epsilon: 1e-3, weight: 'gamma', bias: 'beta' };
const plain = { epsilon: 1e-3, weight: null, bias: null };
const pool = {
  kernel: [3, 2],
  stride: [2, 1],
  padding: { top: 1, left: 2, bottom: 2, right: 0 },
  dilation: [2, 3],
  ceilMode: false,
  countIncludePad: false,
} as const;
const volume = {
  outChannels: 4,
  kernel: [2, 3, 2],
  stride: [1, 2, 1],
  before: [0, 1, 1],
  after: [1, 0, 1],
  dilation: [1, 1, 2],
  weight: 'w',
} as const;
const resized = { kind: 'resize', size: [14, 5], scale: null, coordinates: 'half_pixel', rounding: 'floor' } as const;
const nearest = { ...resized, mode: 'nearest' } as const;
const parameter = (name: string, shape: readonly number[]): Draft => ({
  kind: 'parameter',
  name,
  inputs: [],
  shape,
  weight: `${name}.weight`,
  initial: 0,
});
const scale = parameter('scale', [CHANNELS, 1, 1]);
const positive: Draft = { kind: 'unary', name: 'positive', operator: 'exp' };

const CASES: Readonly<Record<string, readonly Draft[]>> = {
  dense2d: [{ kind: 'dense2d', outFeatures: 5, weight: 'matrix', bias: 'bias' }],
  'dense2d with a scale and a residual': [
    { kind: 'dense2d', outFeatures: CHANNELS, weight: 'matrix', bias: null, name: 'y' },
    scale,
    { kind: 'binary', operator: 'mul', inputs: ['scale', 'y'], name: 'scaled' },
    { kind: 'stochasticDepth', rate: 0.5, inputs: ['scaled'], name: 'kept' },
    { kind: 'add', inputs: ['kept', 'x'] },
    { kind: 'activation', activation: 'relu' },
  ],
  'layerNorm over the last axis': [{ kind: 'layerNorm', axes: 1, ...affine }],
  'layerNorm over all axes, without parameters': [{ kind: 'layerNorm', axes: 3, ...plain }],
  channelNorm: [{ kind: 'channelNorm', ...affine }],
  'channelNorm of a vector': [
    { kind: 'flatten', axis: 1 },
    { kind: 'channelNorm', ...affine, bias: null },
  ],
  groupNorm: [{ kind: 'groupNorm', groups: 3, ...affine }],
  'groupNorm without parameters': [{ kind: 'groupNorm', groups: 2, ...plain }],
  'groupNorm, a group for each channel': [{ kind: 'groupNorm', groups: CHANNELS, ...affine }],
  'localResponseNorm as in ONNX': [{ kind: 'localResponseNorm', size: 3, before: 1, alpha: 0.8, beta: 0.75, k: 2 }],
  'localResponseNorm of an even size': [{ kind: 'localResponseNorm', size: 4, before: 2, alpha: 0.8, beta: 0.6, k: 1 }],
  'l2Normalize of channels': [{ kind: 'l2Normalize', axis: 1, epsilon: 1e-6 }],
  'l2Normalize, epsilon above the norm': [{ kind: 'l2Normalize', axis: 3, epsilon: 50 }],
  clip: [{ kind: 'activation', activation: { kind: 'clip', min: -0.4, max: 1.5 } }],
  'clip, open above': [{ kind: 'activation', activation: { kind: 'clip', min: -0.4, max: null } }],
  'clip, open below': [{ kind: 'activation', activation: { kind: 'clip', min: null, max: 0.7 } }],
  leakyRelu: [{ kind: 'activation', activation: { kind: 'leakyRelu', slope: 0.2 } }],
  elu: [{ kind: 'activation', activation: { kind: 'elu', alpha: 1.5 } }],
  hardSigmoid: [{ kind: 'activation', activation: { kind: 'hardSigmoid', alpha: 0.3, beta: 0.4 } }],
  'prelu, one slope for each channel': [{ kind: 'prelu', weight: 'slope', slopes: CHANNELS }],
  'prelu, one slope': [{ kind: 'prelu', weight: 'slope', slopes: 1 }],
  'prelu of a vector': [
    { kind: 'flatten', axis: 1 },
    { kind: 'prelu', weight: 'slope', slopes: CHANNELS * HEIGHT * WIDTH },
  ],
  'maxPool, dilated': [{ kind: 'maxPool', ...pool }],
  'averagePool, dilated': [{ kind: 'averagePool', ...pool }],
  'averagePool, dilated, counting the padding, ceil': [
    { kind: 'averagePool', ...pool, stride: [3, 2], ceilMode: true, countIncludePad: true },
  ],
  'adaptiveAveragePool, windows that overlap': [{ kind: 'adaptiveAveragePool', size: [4, 3] }],
  'adaptiveAveragePool, equal windows': [{ kind: 'adaptiveAveragePool', size: [3, 7] }],
  'adaptiveAveragePool, one window': [{ kind: 'adaptiveAveragePool', size: [1, 1] }],
  'adaptiveAveragePool, more than pixels': [{ kind: 'adaptiveAveragePool', size: [11, 7] }],
  'parameters and binary functions': [
    scale,
    { kind: 'binary', operator: 'mul', inputs: ['x', 'scale'], name: 'mul' },
    { kind: 'binary', operator: 'sub', inputs: ['scale', 'mul'], name: 'sub' },
    { kind: 'binary', operator: 'max', inputs: ['sub', 'x'], name: 'max' },
    { kind: 'binary', operator: 'min', inputs: ['max', 'scale'], name: 'min' },
    { kind: 'binary', operator: 'add', inputs: ['min', 'mul'] },
  ],
  'division and powers': [
    positive,
    { kind: 'binary', operator: 'pow', inputs: ['positive', 'x'], name: 'pow' },
    { kind: 'binary', operator: 'div', inputs: ['pow', 'positive'] },
  ],
  'unary functions': [
    positive,
    ...(['sqrt', 'log', 'neg', 'abs', 'erf'] as const).map((operator): Draft => ({ kind: 'unary', operator })),
    { kind: 'unary', operator: 'reciprocal', inputs: ['positive'] },
  ],
  'concat of rows': [
    { kind: 'activation', activation: 'relu', name: 'a' },
    { kind: 'concat', axis: 2, inputs: ['x', 'a'] },
  ],
  reshape: [{ kind: 'reshape', shape: [0, 3, -1, WIDTH] }],
  transpose: [{ kind: 'transpose', permutation: [0, 2, 3, 1] }],
  slice: [{ kind: 'slice', axes: [1, 3], starts: [-1, 1], ends: [-10, 7], steps: [-2, 3] }],
  expand: [
    { kind: 'globalAveragePool', flatten: false },
    { kind: 'expand', shape: [0, 0, 4, 3] },
  ],
  channelShuffle: [{ kind: 'channelShuffle', groups: 3 }],
  'pad with a value, and cut': [
    { kind: 'pad', axes: [3, 1], before: [2, 1], after: [-1, 0], mode: 'constant', value: 0.7 },
  ],
  'pad, mirrored': [{ kind: 'pad', axes: [2, 3], before: [2, 1], after: [0, 3], mode: 'reflect', value: 0 }],
  'pad, repeated': [{ kind: 'pad', axes: [2, 3], before: [2, 1], after: [0, 3], mode: 'edge', value: 0 }],
  'resize, bilinear': [{ ...resized, mode: 'linear' }],
  'resize, corners aligned': [{ ...resized, mode: 'linear', coordinates: 'align_corners' }],
  'resize, by scales': [{ ...resized, mode: 'linear', size: [18, 10], scale: [2, 1.5] }],
  'resize, nearest': [{ ...nearest, coordinates: 'asymmetric' }],
  'resize, nearest, halves down': [{ ...nearest, rounding: 'round_prefer_floor' }],
  "resize, nearest by TensorFlow's places": [{ ...nearest, coordinates: 'tf_half_pixel_for_nn' }],
  ...Object.fromEntries(
    (['sum', 'mean', 'max', 'min', 'l2'] as const).map((operator): [string, Draft[]] => [
      `reduce to the ${operator}`,
      [{ kind: 'reduce', operator, axes: [1, 3], keepDims: operator === 'mean' }],
    ]),
  ),
  'argExtreme, first of the largest': [
    { kind: 'argExtreme', extreme: 'max', axis: 1, keepDims: true, select: 'first' },
  ],
  'argExtreme, last of the smallest': [
    { kind: 'activation', activation: 'relu' },
    { kind: 'argExtreme', extreme: 'min', axis: 3, keepDims: false, select: 'last' },
  ],
  'topK, values': [{ kind: 'topK', k: 3, axis: 2, largest: false, output: 'values' }],
  'topK, places': [{ kind: 'topK', k: 4, axis: 1, largest: true, output: 'indices' }],
  maxPoolIndices: [
    { kind: 'maxPoolIndices', ...pool, kernel: [3, 3], dilation: [1, 1], order: 'rowMajor', ceilMode: true },
  ],
  'maxPoolIndices by columns': [
    { kind: 'maxPoolIndices', ...pool, kernel: [3, 3], dilation: [1, 1], order: 'columnMajor' },
  ],
  conv3d: [
    { kind: 'reshape', shape: [0, 2, 3, HEIGHT, WIDTH] },
    { kind: 'conv3d', ...volume, groups: 2, bias: 'b' },
  ],
  convTranspose3d: [
    { kind: 'reshape', shape: [0, 2, 3, HEIGHT, WIDTH] },
    { kind: 'convTranspose3d', ...volume, groups: 1, bias: null, outputPadding: [0, 1, 0] },
  ],
  logSoftmax: [{ kind: 'logSoftmax', axis: 1 }],
  'softmax over columns': [{ kind: 'softmax', axis: 3 }],
  matmul: [
    { kind: 'transpose', permutation: [0, 1, 3, 2], name: 'columns' },
    { kind: 'matmul', inputs: ['x', 'columns'] },
  ],
};
const whole: Draft = { kind: 'unary', name: 'whole', operator: 'round', inputs: ['x'] };
const MORE: Readonly<Record<string, readonly Draft[]>> = {
  selu: [{ kind: 'activation', activation: { kind: 'selu', alpha: 1.5, gamma: 1.1 } }],
  celu: [{ kind: 'activation', activation: { kind: 'celu', alpha: 0.6 } }],
  thresholdedRelu: [{ kind: 'activation', activation: { kind: 'thresholdedRelu', alpha: 0.6 } }],
  shrink: [{ kind: 'activation', activation: { kind: 'shrink', lambda: 0.5, bias: 0.3 } }],
  softsign: [{ kind: 'activation', activation: 'softsign' }],
  'reduce to the product': [{ kind: 'reduce', operator: 'product', axes: [3], keepDims: false }],
  'transposed convolution': [
    {
      kind: 'convTranspose2d',
      outChannels: 4,
      kernel: [3, 2],
      stride: [2, 3],
      padding: { top: 1, left: 0, bottom: 0, right: 1 },
      dilation: [1, 2],
      outputPadding: [1, 2],
      groups: 2,
      weight: 'w',
      bias: 'b',
    },
  ],
  'cumulative sum': [{ kind: 'cumulativeSum', axis: 2, exclusive: true, reverse: true }],
  'comparison and choice': [
    scale,
    { kind: 'binary', operator: 'less', inputs: ['x', 'scale'], name: 'less' },
    { kind: 'unary', operator: 'not', inputs: ['less'], name: 'not' },
    { kind: 'where', inputs: ['not', 'x', 'scale'] },
  ],
  'functions of truth values': [
    whole,
    { kind: 'unary', operator: 'abs', inputs: ['whole'], name: 'size' },
    { kind: 'binary', operator: 'equal', inputs: ['whole', 'size'], name: 'equal' },
    { kind: 'binary', operator: 'and', inputs: ['equal', 'whole'], name: 'and' },
    { kind: 'binary', operator: 'xor', inputs: ['and', 'size'], name: 'xor' },
    { kind: 'binary', operator: 'or', inputs: ['xor', 'whole'], name: 'or' },
    { kind: 'unary', operator: 'isNaN', inputs: ['x'], name: 'isNaN' },
    { kind: 'binary', operator: 'add', inputs: ['or', 'isNaN'] },
  ],
  'remainders of integers': [
    whole,
    { kind: 'binary', operator: 'mul', inputs: ['whole', 'whole'], name: 'square' },
    { kind: 'unary', operator: 'exp', inputs: ['square'], name: 'large' },
    { kind: 'unary', operator: 'ceil', inputs: ['large'], name: 'divisor' },
    { kind: 'binary', operator: 'integerMod', inputs: ['whole', 'divisor'], name: 'rest' },
    { kind: 'binary', operator: 'integerDiv', inputs: ['square', 'divisor'], name: 'quotient' },
    { kind: 'binary', operator: 'add', inputs: ['rest', 'quotient'] },
  ],
  'remainder and steps': [
    scale,
    { kind: 'unary', operator: 'floor', inputs: ['x'], name: 'floor' },
    { kind: 'unary', operator: 'trunc', inputs: ['x'], name: 'trunc' },
    { kind: 'unary', operator: 'sign', inputs: ['x'], name: 'sign' },
    { kind: 'binary', operator: 'add', inputs: ['floor', 'trunc'], name: 'sum' },
    { kind: 'binary', operator: 'add', inputs: ['sum', 'sign'] },
  ],
};
Object.assign(CASES, MORE);
for (const activation of ['sigmoid', 'tanh', 'softplus', 'silu', 'hardSwish', 'gelu', 'geluTanh', 'mish'] as const) {
  (CASES as Record<string, readonly Draft[]>)[activation] = [{ kind: 'activation', activation }];
}

describe('ONNX Runtime computes from exported layers what the engine computes', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  for (const [name, drafts] of Object.entries(CASES)) {
    test(name, async (t) => {
      const random = new Random(freshSeed(t));
      const net = network(drafts);
      const model = { network: net, weights: randomWeights(net, random) };
      const shape = [2, CHANNELS, HEIGHT, WIDTH];
      const x = uniform(random, 2 * CHANNELS * HEIGHT * WIDTH, -3, 3);
      const expected = await onnxOutput(exportOnnx(model), shape, x);
      assert.deepEqual(expected.shape.slice(1), inferShapes(net).get(net.layers.at(-1)?.name as string));
      const error = relativeError(await engineOutput(engine, model, shape, x), expected.data);
      assert.ok(error < 1e-5, `${error}`);
    });
  }

  test('what cannot be said is refused by name', () => {
    const net = network([{ ...resized, mode: 'linear', coordinates: 'tf_half_pixel_for_nn', name: 'up' }]);
    throwsModelError(
      () => exportOnnx({ network: net, weights: new Map() }),
      'UNSUPPORTED',
      /layer up \(resize, linear/,
    );
  });
});
