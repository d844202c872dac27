import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Model } from '../../src/models/graph.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import { importOnnx } from '../../src/models/formats/onnx.js';
import { readOnnxModel } from '../../src/models/formats/onnx/proto.js';
import { adaptInputChannels } from '../../src/models/inputChannels.js';
import type { Layer, Preprocessing } from '../../src/models/network.js';
import { unitPreprocessing } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { assertClose, freshSeed, randomWeights, throwsModelError, tinyNetwork, toChw, uniform } from './fixtures.js';
import { onnxOutput } from './onnxRuntime.js';
import { referenceOutput } from './reference.js';

const [HEIGHT, WIDTH] = [9, 7];
type Draft = Layer extends infer L
  ? L extends Layer
    ? Omit<L, 'learningRateFactor' | 'name' | 'inputs'>
    : never
  : never;

/** A network of these layers in a row on a map [4, 9, 7]; a layer may name what it reads. */
function chain(random: Random, ...drafts: readonly (Draft & { name?: string; inputs?: readonly string[] })[]): Model {
  const base = { learningRateFactor: 1 } as const;
  const layers: Layer[] = [
    { ...base, kind: 'input', name: 'x', inputs: [], shape: [4, HEIGHT, WIDTH], batched: true, type: 'float32' },
  ];
  drafts.forEach((draft, index) => {
    const inputs = [layers.at(-1)?.name as string];
    layers.push({ ...base, name: `layer${index}`, inputs, ...draft } as Layer);
  });
  const network = {
    architecture: 'chain',
    layers,
    preprocessing: unitPreprocessing(HEIGHT, WIDTH),
    classes: null,
    auxiliary: [],
  };
  return { network, weights: randomWeights(network, random) };
}

const window = { kernel: [3, 2], stride: [2, 3], padding: { top: 1, left: 0, bottom: 0, right: 1 } } as const;
const convolution = { outChannels: 6, ...window, groups: 2, weight: 'w', bias: null, dilation: [1, 2] } as const;
const batchNorm = { epsilon: 1e-3, momentum: 0.1, runningMean: 'm', runningVariance: 'v' } as const;
const pooling = { ...window, dilation: [1, 1], ceilMode: false, countIncludePad: false } as const;

const CASES: Readonly<Record<string, Parameters<typeof chain>[1][]>> = {
  'conv2d with groups, dilation and uneven padding': [{ kind: 'conv2d', ...convolution }],
  'conv2d with a bias': [{ kind: 'conv2d', ...convolution, bias: 'b' }],
  'dense on a vector and on a map of one pixel': [
    { kind: 'globalAveragePool', flatten: false },
    { kind: 'dense', outFeatures: 5, weight: 'w', bias: 'b' },
    { kind: 'dense', outFeatures: 3, weight: 'w2', bias: null },
  ],
  batchNorm: [{ kind: 'batchNorm', ...batchNorm, weight: 'gamma', bias: 'beta' }],
  'batchNorm without scale and offset': [{ kind: 'batchNorm', ...batchNorm, weight: null, bias: null }],
  relu: [{ kind: 'activation', activation: 'relu' }],
  relu6: [
    { kind: 'conv2d', ...convolution },
    { kind: 'activation', activation: 'relu6' },
  ],
  maxPool: [{ kind: 'maxPool', ...pooling }],
  'maxPool, ceil': [{ kind: 'maxPool', ...pooling, stride: [3, 2], ceilMode: true }],
  averagePool: [{ kind: 'averagePool', ...pooling }],
  'averagePool, padding counted': [{ kind: 'averagePool', ...pooling, countIncludePad: true }],
  'averagePool, ceil': [{ kind: 'averagePool', ...pooling, stride: [3, 2], ceilMode: true }],
  'averagePool, ceil, padding counted': [
    { kind: 'averagePool', ...pooling, kernel: [4, 3], stride: [3, 2], ceilMode: true, countIncludePad: true },
  ],
  globalAveragePool: [{ kind: 'globalAveragePool', flatten: true }],
  'add of three and concat': [
    { kind: 'activation', activation: 'relu', name: 'a' },
    { kind: 'softmax', axis: 1, name: 's' },
    { kind: 'add', inputs: ['x', 'a', 's'], name: 'sum' },
    { kind: 'add', inputs: ['x', 'a'], name: 'two' },
    { kind: 'concat', axis: 1, inputs: ['sum', 'two', 'x'] },
  ],
  'flatten, dropout, softmax': [
    { kind: 'flatten', axis: 1 },
    { kind: 'dropout', rate: 0.4 },
    { kind: 'softmax', axis: 1 },
  ],
  zeroPad: [{ kind: 'zeroPad', padding: { top: 1, left: 2, bottom: 0, right: 3 } }],
  'zeros in front of the largest pixel and of a mean': [
    { kind: 'zeroPad', padding: { top: 1, left: 1, bottom: 2, right: 1 }, name: 'pad' },
    { kind: 'maxPool', ...pooling, padding: { top: 0, left: 0, bottom: 0, right: 0 }, name: 'largest' },
    {
      kind: 'averagePool',
      ...pooling,
      padding: { top: 0, left: 0, bottom: 0, right: 0 },
      inputs: ['pad'],
      name: 'mean',
    },
    { kind: 'concat', axis: 1, inputs: ['largest', 'mean'] },
  ],
  'zeros in front of the largest pixel': [
    { kind: 'zeroPad', padding: { top: 1, left: 1, bottom: 2, right: 1 } },
    { kind: 'maxPool', ...pooling, padding: { top: 0, left: 0, bottom: 0, right: 0 } },
  ],
  'the input passed on': [],
};

describe('ONNX export', () => {
  for (const [name, layers] of Object.entries(CASES)) {
    test(`ONNX Runtime computes what the layer is: ${name}`, async (t) => {
      const random = new Random(freshSeed(t));
      const model = chain(random, ...layers);
      const x = uniform(random, 2 * 4 * HEIGHT * WIDTH, -3, 3);
      const expected = referenceOutput(model.network, model.weights, x, 2);
      const actual = await onnxOutput(exportOnnx(model), [2, 4, HEIGHT, WIDTH], x);
      assert.deepEqual(actual.shape, expected.shape);
      assertClose(actual.data, expected.data, 1e-5);
    });
  }

  test('layers that are called as weights do not get in their way', async (t) => {
    const random = new Random(freshSeed(t));
    const model = chain(
      random,
      { kind: 'conv2d', ...convolution, name: 'w' },
      { kind: 'conv2d', ...convolution, groups: 1, weight: 'layer2', name: 'layer2/ratio' },
      { kind: 'dropout', rate: 0.5, name: 'layer2' },
    );
    const x = uniform(random, 4 * HEIGHT * WIDTH);
    const actual = await onnxOutput(exportOnnx(model), [1, 4, HEIGHT, WIDTH], x);
    assertClose(actual.data, referenceOutput(model.network, model.weights, x).data);
  });

  test('read back by Graft, it is the same network with the same names, weights and labels', (t) => {
    const tiny = tinyNetwork(new Random(freshSeed(t)));
    // Attributes are float32: numbers that it holds exactly.
    const layers = tiny.network.layers.map((layer) =>
      layer.kind === 'batchNorm' ? { ...layer, epsilon: 2 ** -10, momentum: 0.125 } : layer,
    );
    const model = { ...tiny, network: { ...tiny.network, layers } };
    const file = exportOnnx(model);
    assert.equal(readOnnxModel(file).opsets.get(''), 17);
    const read = importOnnx(file, {
      classes: model.network.classes as string[],
      preprocessing: unitPreprocessing(9, 9),
    });
    assert.deepEqual(read.network, model.network);
    assert.deepEqual(read.weights, model.weights);
  });

  test('can end in probabilities, once', async (t) => {
    const random = new Random(freshSeed(t));
    const model = tinyNetwork(random);
    const x = uniform(random, 3 * 81);
    const { data } = await onnxOutput(exportOnnx(model, { softmax: true }), [1, 3, 9, 9], x);
    const logits = referenceOutput(model.network, model.weights, x).data;
    const sum = logits.reduce((total, value) => total + Math.exp(value), 0);
    assertClose(
      data,
      logits.map((value) => Math.exp(value) / sum),
    );
    const closed = chain(random, { kind: 'globalAveragePool', flatten: true }, { kind: 'softmax', axis: 1, name: 'p' });
    const y = uniform(random, 4 * HEIGHT * WIDTH);
    const twice = await onnxOutput(exportOnnx(closed, { softmax: true }), [1, 4, HEIGHT, WIDTH], y);
    assertClose(twice.data, referenceOutput(closed.network, closed.weights, y).data);
  });

  const preprocessing: Preprocessing = {
    ...unitPreprocessing(9, 9),
    channelOrder: 'BGR',
    scale: 127.5,
    mean: [1, 0.9, 1.2],
    std: [1.5, 0.3, 0.8],
  };
  for (const type of ['uint8', 'float32'] as const) {
    for (const layout of ['NHWC', 'NCHW'] as const) {
      test(`takes pictures as ${type} ${layout}`, async (t) => {
        const random = new Random(freshSeed(t));
        const tiny = tinyNetwork(random);
        const model = { ...tiny, network: { ...tiny.network, preprocessing } };
        const pictures = Uint8Array.from({ length: 2 * 81 * 3 }, () => Math.floor(random.uniform() * 256));
        const planes = toChw(pictures, [2, 9, 9, 3]);
        const { mean, std, scale } = preprocessing;
        const x = planes.map((_, i) => {
          const [n, c, pixel] = [Math.floor(i / 243), Math.floor(i / 81) % 3, i % 81];
          const byte = planes[n * 243 + (2 - c) * 81 + pixel] as number;
          return (byte / scale - (mean[c] as number)) / (std[c] as number);
        });
        const given = layout === 'NHWC' ? pictures : planes;
        const file = exportOnnx(model, { pictures: { type, layout } });
        const shape = layout === 'NHWC' ? [2, 9, 9, 3] : [2, 3, 9, 9];
        const data = type === 'uint8' ? Uint8Array.from(given) : Float32Array.from(given);
        const { data: actual } = await onnxOutput(file, shape, data);
        assertClose(actual, referenceOutput(model.network, model.weights, x, 2).data, 1e-5);
      });
    }
  }

  test('makes pictures grey for a network that reads one channel', async (t) => {
    const random = new Random(freshSeed(t));
    const grey = adaptInputChannels(tinyNetwork(random), 1);
    const order = { ...preprocessing, channelOrder: 'GREY' } as const;
    const model = { ...grey, network: { ...grey.network, preprocessing: order } };
    const pictures = Uint8Array.from({ length: 81 * 3 }, () => Math.floor(random.uniform() * 256));
    const x = Float32Array.from({ length: 81 }, (_, pixel) =>
      [0.299, 0.587, 0.114].reduce((sum, part, c) => {
        const byte = pictures[3 * pixel + c] as number;
        return sum + (part * (byte / order.scale - (order.mean[c] as number))) / (order.std[c] as number);
      }, 0),
    );
    const file = exportOnnx(model, { pictures: { type: 'uint8', layout: 'NHWC' } });
    const { data } = await onnxOutput(file, [1, 9, 9, 3], pictures);
    assertClose(data, referenceOutput(model.network, model.weights, x).data, 1e-5);
  });

  test('refuses pictures for a network that reads neither colours nor grey', (t) => {
    const model = chain(new Random(freshSeed(t)), { kind: 'globalAveragePool', flatten: true });
    throwsModelError(
      () => exportOnnx(model, { pictures: { type: 'uint8', layout: 'NHWC' } }),
      'UNSUPPORTED',
      /3 channel\(s\).*4/,
    );
  });

  test('refuses to write more than protobuf can hold', () => {
    const [wide, narrow] = [65_536, 4_200];
    const dense = { kind: 'dense', learningRateFactor: 1, bias: null } as const;
    const layers: Layer[] = [
      { kind: 'input', name: 'x', inputs: [], learningRateFactor: 1, shape: [wide], batched: true, type: 'float32' },
      { ...dense, name: 'first', inputs: ['x'], outFeatures: narrow, weight: 'a' },
      { ...dense, name: 'second', inputs: ['first'], outFeatures: wide, weight: 'b' },
    ];
    const network = { architecture: 'big', layers, preprocessing, classes: null, auxiliary: [] };
    // Never touched, so the machine gives no memory for them.
    const data = new Float32Array(wide * narrow);
    const weights = new Map([
      ['a', { shape: [narrow, wide], data }],
      ['b', { shape: [wide, narrow], data }],
    ]);
    throwsModelError(() => exportOnnx({ network, weights }), 'UNSUPPORTED', /at most 2147483647/);
  });

  test('its metadata say the labels, the architecture and what is left of the preprocessing', (t) => {
    const tiny = tinyNetwork(new Random(freshSeed(t)));
    const model = { ...tiny, network: { ...tiny.network, preprocessing } };
    const outside = metadata(exportOnnx(model));
    assert.equal(outside['graft.architecture'], 'tiny');
    assert.deepEqual(JSON.parse(outside['graft.classes'] ?? ''), ['ant', 'bee', 'cat', 'dog', 'elk']);
    assert.deepEqual(JSON.parse(outside['graft.preprocessing'] ?? ''), preprocessing);
    const inside = metadata(exportOnnx(model, { pictures: { type: 'uint8', layout: 'NHWC' } }));
    assert.deepEqual(JSON.parse(inside['graft.preprocessing'] ?? ''), {
      ...preprocessing,
      channelOrder: 'RGB',
      scale: 1,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    });
  });
});

/** metadata_props of a ModelProto. */
function metadata(file: Uint8Array): Record<string, string> {
  const entries: [string, string][] = [];
  const reader = new BinaryReader(file);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 14) {
      reader.skip(type, field);
      continue;
    }
    const pair = new BinaryReader(reader.bytes());
    const texts: string[] = [];
    while (pair.pos < pair.len) {
      pair.tag();
      texts.push(pair.string());
    }
    entries.push(texts as [string, string]);
  }
  return Object.fromEntries(entries);
}
