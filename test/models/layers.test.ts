import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type Tensor } from '../../src/kernels/tensor.js';
import { JsonReader } from '../../src/models/jsonReader.js';
import { readLayer } from '../../src/models/layers/readLayer.js';
import { LAYER_KINDS } from '../../src/models/layers/registry.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { Layer, Network } from '../../src/models/network.js';
import { Random } from '../../src/models/random.js';
import { graphShapes } from '../../src/models/shapes.js';
import { unitPreprocessing } from '../../src/models/preprocessing.js';
import { validateNetwork } from '../../src/models/validate.js';
import { DeviceWeights } from '../../src/training/deviceWeights.js';
import { buildForward } from '../../src/training/forward.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { freshSeed } from './fixtures.js';

type Draft = Layer extends infer L ? (L extends Layer ? Omit<L, 'learningRateFactor'> : never) : never;

const [C, H, W] = [4, 6, 5] as const;
const window = {
  kernel: [3, 2],
  stride: [2, 1],
  padding: { top: 1, left: 0, bottom: 1, right: 1 },
  dilation: [1, 2],
  ceilMode: false,
  countIncludePad: false,
} as const;
const norm = { epsilon: 1e-3, weight: 'w', bias: 'b' } as const;
const x = { inputs: ['x'] } as const;
const transposed = {
  outChannels: 6,
  kernel: [3, 2],
  stride: [2, 1],
  padding: window.padding,
  dilation: [1, 2],
  groups: 2,
  weight: 'w',
  bias: 'b',
} as const;
const VOLUME: Draft = { kind: 'reshape', name: 'volume', ...x, shape: [0, 2, 2, 6, 5] };
const convolution3d = {
  outChannels: 4,
  kernel: [2, 3, 2],
  stride: [1, 2, 1],
  before: [0, 1, 0],
  after: [1, 0, 0],
  dilation: [1, 1, 2],
  groups: 2,
  weight: 'w',
  bias: 'b',
} as const;

/** One network or more for each kind: layers behind an input `x` [4, 6, 5]. */
const EXAMPLES: Readonly<Record<Layer['kind'], readonly (readonly Draft[])[]>> = {
  input: [[]],
  parameter: [
    [
      { kind: 'parameter', name: 'scale', inputs: [], shape: [C, 1, 1], weight: 'w', initial: 0.5 },
      { kind: 'binary', name: 'y', inputs: ['x', 'scale'], operator: 'mul' },
    ],
  ],
  conv2d: [
    [
      {
        kind: 'conv2d',
        name: 'y',
        ...x,
        outChannels: 6,
        kernel: [3, 2],
        stride: [1, 2],
        padding: window.padding,
        dilation: [2, 1],
        groups: 2,
        weight: 'w',
        bias: 'b',
      },
    ],
  ],
  dense: [
    [
      { kind: 'globalAveragePool', name: 'p', ...x, flatten: false },
      { kind: 'dense', name: 'y', inputs: ['p'], outFeatures: 3, weight: 'w', bias: null },
    ],
  ],
  dense2d: [[{ kind: 'dense2d', name: 'y', ...x, outFeatures: 7, weight: 'w', bias: 'b' }]],
  batchNorm: [[{ kind: 'batchNorm', name: 'y', ...x, ...norm, momentum: 0.1, runningMean: 'm', runningVariance: 'v' }]],
  layerNorm: [
    [{ kind: 'layerNorm', name: 'y', ...x, axes: 3, ...norm }],
    [{ kind: 'layerNorm', name: 'y', ...x, axes: 1, ...norm }],
  ],
  channelNorm: [[{ kind: 'channelNorm', name: 'y', ...x, ...norm }]],
  groupNorm: [[{ kind: 'groupNorm', name: 'y', ...x, groups: 2, ...norm }]],
  localResponseNorm: [
    [{ kind: 'localResponseNorm', name: 'y', ...x, size: 3, before: 1, alpha: 0.1, beta: 0.75, k: 1 }],
  ],
  l2Normalize: [
    [{ kind: 'l2Normalize', name: 'y', ...x, axis: 1, epsilon: 1e-12 }],
    [{ kind: 'l2Normalize', name: 'y', ...x, axis: 3, epsilon: 1e-12 }],
  ],
  activation: [
    [{ kind: 'activation', name: 'y', ...x, activation: 'hardSwish' }],
    [{ kind: 'activation', name: 'y', ...x, activation: { kind: 'clip', min: null, max: 0.5 } }],
    [{ kind: 'activation', name: 'y', ...x, activation: { kind: 'leakyRelu', slope: 0.1 } }],
    [{ kind: 'activation', name: 'y', ...x, activation: { kind: 'elu', alpha: 1.5 } }],
    [{ kind: 'activation', name: 'y', ...x, activation: { kind: 'selu', alpha: 1.7, gamma: 1.05 } }],
    [{ kind: 'activation', name: 'y', ...x, activation: { kind: 'celu', alpha: 0.5 } }],
    [{ kind: 'activation', name: 'y', ...x, activation: { kind: 'thresholdedRelu', alpha: 0.5 } }],
    [{ kind: 'activation', name: 'y', ...x, activation: { kind: 'shrink', lambda: 0.5, bias: 0.1 } }],
    [{ kind: 'activation', name: 'y', ...x, activation: 'softsign' }],
    [{ kind: 'activation', name: 'y', ...x, activation: { kind: 'hardSigmoid', alpha: 0.2, beta: 0.5 } }],
  ],
  prelu: [
    [{ kind: 'prelu', name: 'y', ...x, weight: 'w', slopes: C }],
    [{ kind: 'prelu', name: 'y', ...x, weight: 'w', slopes: 1 }],
  ],
  maxPool: [[{ kind: 'maxPool', name: 'y', ...x, ...window }]],
  averagePool: [[{ kind: 'averagePool', name: 'y', ...x, ...window, countIncludePad: true }]],
  globalAveragePool: [[{ kind: 'globalAveragePool', name: 'y', ...x, flatten: true }]],
  adaptiveAveragePool: [[{ kind: 'adaptiveAveragePool', name: 'y', ...x, size: [4, 2] }]],
  add: [
    [
      { kind: 'activation', name: 'r', ...x, activation: 'relu' },
      { kind: 'add', name: 's', inputs: ['x', 'r', 'x'] },
      { kind: 'activation', name: 'y', inputs: ['s'], activation: 'silu' },
    ],
  ],
  binary: [
    [
      { kind: 'globalAveragePool', name: 'p', ...x, flatten: false },
      { kind: 'binary', name: 'q', inputs: ['x', 'p'], operator: 'mul' },
      { kind: 'activation', name: 'y', inputs: ['q'], activation: 'relu' },
    ],
    ...(['add', 'sub', 'div', 'max', 'min', 'fmod', 'less', 'equal', 'and', 'xor'] as const).map(
      (operator) => [{ kind: 'binary', name: 'y', inputs: ['x', 'x'], operator }] as const,
    ),
    [
      { kind: 'unary', name: 'a', ...x, operator: 'abs' },
      { kind: 'binary', name: 'y', inputs: ['a', 'x'], operator: 'pow' },
    ],
  ],
  unary: (['exp', 'neg', 'abs', 'reciprocal', 'erf', 'floor', 'round', 'trunc', 'sign', 'not', 'isNaN'] as const).map(
    (operator) => [{ kind: 'unary', name: 'y', ...x, operator }] as const,
  ),
  dropout: [[{ kind: 'dropout', name: 'y', ...x, rate: 0.5 }]],
  stochasticDepth: [[{ kind: 'stochasticDepth', name: 'y', ...x, rate: 0.5 }]],
  concat: [
    [{ kind: 'concat', name: 'y', inputs: ['x', 'x'], axis: 1 }],
    [{ kind: 'concat', name: 'y', inputs: ['x', 'x'], axis: 3 }],
  ],
  flatten: [[{ kind: 'flatten', name: 'y', ...x, axis: 1 }]],
  reshape: [
    [{ kind: 'reshape', name: 'y', ...x, shape: [0, 2, 2, -1, 5] }],
    [{ kind: 'reshape', name: 'y', ...x, shape: [-1, 24, 5] }],
  ],
  transpose: [[{ kind: 'transpose', name: 'y', ...x, permutation: [0, 2, 3, 1] }]],
  slice: [
    [{ kind: 'slice', name: 'y', ...x, axes: [1, 3], starts: [-3, 4], ends: [100, -6], steps: [1, -2] }],
    [{ kind: 'slice', name: 'y', ...x, axes: [2], starts: [1], ends: [-1], steps: [2] }],
  ],
  expand: [
    [
      { kind: 'globalAveragePool', name: 'p', ...x, flatten: false },
      { kind: 'expand', name: 'y', inputs: ['p'], shape: [0, 1, 3, 2] },
    ],
  ],
  channelShuffle: [[{ kind: 'channelShuffle', name: 'y', ...x, groups: 2 }]],
  zeroPad: [[{ kind: 'zeroPad', name: 'y', ...x, padding: { top: 1, left: 2, bottom: 0, right: 3 } }]],
  pad: [
    [{ kind: 'pad', name: 'y', ...x, axes: [1, 2], before: [1, -1], after: [0, 2], mode: 'constant', value: -2 }],
    [{ kind: 'pad', name: 'y', ...x, axes: [3], before: [2], after: [1], mode: 'reflect', value: 0 }],
    [{ kind: 'pad', name: 'y', ...x, axes: [2], before: [0], after: [3], mode: 'edge', value: 0 }],
    [{ kind: 'pad', name: 'y', ...x, axes: [2], before: [7], after: [3], mode: 'wrap', value: 0 }],
  ],
  resize: [
    [
      {
        kind: 'resize',
        name: 'y',
        ...x,
        size: [9, 7],
        scale: null,
        mode: 'linear',
        coordinates: 'half_pixel',
        rounding: 'floor',
      },
    ],
    [
      {
        kind: 'resize',
        name: 'y',
        ...x,
        size: [12, 10],
        scale: [2, 2],
        mode: 'nearest',
        coordinates: 'asymmetric',
        rounding: 'floor',
      },
    ],
  ],
  reduce: [
    [{ kind: 'reduce', name: 'y', ...x, operator: 'mean', axes: [2, 3], keepDims: false }],
    [{ kind: 'reduce', name: 'y', ...x, operator: 'l2', axes: [1], keepDims: true }],
    ...(['sum', 'product', 'max', 'min'] as const).map(
      (operator) => [{ kind: 'reduce', name: 'y', ...x, operator, axes: [3], keepDims: false }] as const,
    ),
  ],
  softmax: [[{ kind: 'softmax', name: 'y', ...x, axis: 1 }], [{ kind: 'softmax', name: 'y', ...x, axis: 2 }]],
  logSoftmax: [[{ kind: 'logSoftmax', name: 'y', ...x, axis: 3 }]],
  convTranspose2d: [[{ kind: 'convTranspose2d', name: 'y', ...x, ...transposed, outputPadding: [1, 0] }]],
  conv3d: [[VOLUME, { kind: 'conv3d', name: 'y', inputs: ['volume'], ...convolution3d }]],
  convTranspose3d: [
    [VOLUME, { kind: 'convTranspose3d', name: 'y', inputs: ['volume'], ...convolution3d, outputPadding: [0, 1, 0] }],
  ],
  // Places are counted over the whole batch, which no network of pictures may do.
  maxPoolIndices: [],
  where: [
    [
      { kind: 'activation', name: 'c', ...x, activation: 'relu' },
      { kind: 'where', name: 'y', inputs: ['c', 'x', 'c'] },
    ],
  ],
  gather: [
    [
      { kind: 'parameter', name: 'i', inputs: [], shape: [2, 2], weight: 'w', initial: -1 },
      { kind: 'gather', name: 'y', inputs: ['x', 'i'], axis: 2 },
    ],
  ],
  gatherElements: [
    [
      { kind: 'argExtreme', name: 'i', ...x, extreme: 'max', axis: 2, keepDims: true, select: 'first' },
      { kind: 'gatherElements', name: 'y', inputs: ['x', 'i'], axis: 2 },
    ],
  ],
  argExtreme: [[{ kind: 'argExtreme', name: 'y', ...x, extreme: 'min', axis: 1, keepDims: false, select: 'last' }]],
  topK: [
    [{ kind: 'topK', name: 'y', ...x, k: 3, axis: 1, largest: true, output: 'values' }],
    [{ kind: 'topK', name: 'y', ...x, k: 2, axis: 3, largest: false, output: 'indices' }],
  ],
  roundTo: [
    [{ kind: 'roundTo', name: 'y', ...x, type: 'float16', saturate: true, powers: 'up' }],
    [{ kind: 'roundTo', name: 'y', ...x, type: 'int8', saturate: false, powers: 'up' }],
  ],
  cumulativeSum: [[{ kind: 'cumulativeSum', name: 'y', ...x, axis: 2, exclusive: true, reverse: false }]],
  matmul: [
    [
      { kind: 'transpose', name: 't', ...x, permutation: [0, 1, 3, 2] },
      { kind: 'matmul', name: 'y', inputs: ['x', 't'] },
    ],
  ],
};

function networkOf(drafts: readonly Draft[]): Network {
  const input: Layer = {
    kind: 'input',
    name: 'x',
    inputs: [],
    learningRateFactor: 1,
    shape: [C, H, W],
    batched: true,
    type: 'float32',
  };
  const layers = [input, ...drafts.map((draft) => ({ ...draft, learningRateFactor: 1 }) as Layer)];
  return { architecture: 'example', layers, preprocessing: unitPreprocessing(H, W), classes: null, auxiliary: [] };
}

/** The last layer's values, with the shape that the plan gave it. */
async function run(engine: Engine, network: Network, seed: number, data: Float32Array) {
  const batch = data.length / (C * H * W);
  const weights = initializeWeights(network, seed);
  const device = new DeviceWeights(engine, weights);
  const b = new PlanBuilder(engine);
  const output = network.layers.at(-1) as Layer;
  const values = buildForward(b, network, weights, device, {
    layers: network.layers,
    values: new Map([['x', b.input('x', [batch, C, H, W])]]),
    keep: new Set([output.name]),
    mode: 'eval',
    weightsAreFixed: true,
  });
  const tensor = values.get(output.name) as Tensor;
  b.output('y', tensor);
  const plan = await b.compile();
  const { y } = await plan.run({ x: data })();
  plan.dispose();
  device.dispose();
  return { shape: tensor.shape, data: y as Float32Array };
}

describe('every kind of layer', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  test('has an example', () => assert.deepEqual(Object.keys(EXAMPLES).sort(), [...LAYER_KINDS].sort()));

  for (const [kind, examples] of Object.entries(EXAMPLES)) {
    examples.forEach((drafts, index) => {
      const network = networkOf(drafts);

      test(`${kind} ${index}: is read from its own JSON`, () => {
        for (const layer of network.layers) {
          assert.deepEqual(readLayer(new JsonReader(JSON.parse(JSON.stringify(layer)), 'layer')), layer);
        }
        validateNetwork(network, initializeWeights(network, 1));
      });

      test(`${kind} ${index}: has the shape it says, and computes each picture of a batch alone`, async (t) => {
        const seed = freshSeed(t);
        const random = new Random(seed);
        const pictures = Float32Array.from({ length: 2 * C * H * W }, () => 2 * random.uniform() - 1);
        const both = await run(engine, network, seed, pictures);
        const output = network.layers.at(-1) as Layer;
        assert.deepEqual(both.shape, graphShapes(network, 2).shapes.get(output.name));
        for (const place of [0, 1]) {
          const one = await run(engine, network, seed, pictures.subarray(place * C * H * W, (place + 1) * C * H * W));
          const size = elementCount(one.shape);
          one.data.forEach((value, at) => {
            const other = both.data[place * size + at] as number;
            assert.ok(Math.abs(value - other) <= 1e-5 * (1 + Math.abs(value)), `${value} and ${other} at ${at}`);
          });
        }
      });
    });
  }
});
