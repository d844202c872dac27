import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import { ModelError } from '../../src/models/errors.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import { exportTfjs, writeTfjs } from '../../src/models/formats/tfjs/exportTfjs.js';
import { importTfjs } from '../../src/models/formats/tfjs.js';
import type { Model } from '../../src/models/graph.js';
import type { Layer } from '../../src/models/network.js';
import { unitPreprocessing } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { assertClose, freshSeed, randomWeights, tinyNetwork, toChw, uniform } from './fixtures.js';
import { onnxOutput } from './onnxRuntime.js';

interface ModelJson {
  readonly modelTopology: object;
  readonly weightsManifest: readonly { readonly paths: string[]; readonly weights: tf.io.WeightsManifestEntry[] }[];
}

const jsonOf = (files: Record<string, Uint8Array>): ModelJson =>
  JSON.parse(new TextDecoder().decode(files['model.json'])) as ModelJson;

/** What tfjs-layers predicts with the files, and what ONNX Runtime does with the same network. */
async function predictions(model: Model, random: Random): Promise<void> {
  const files = exportTfjs(model);
  const json = jsonOf(files);
  const [group] = json.weightsManifest;
  const weightData = Uint8Array.from(group?.paths.flatMap((path) => [...(files[path] as Uint8Array)]) ?? []).buffer;
  const read = await tfl.loadLayersModel(
    tf.io.fromMemory({ modelTopology: json.modelTopology, weightSpecs: group?.weights ?? [], weightData }),
  );
  const [input] = model.network.layers;
  const [channels, height, width] = input?.kind === 'input' ? (input.shape as [number, number, number]) : [1, 1, 1];
  const shape = [2, height, width, channels] as [number, number, number, number];
  const pictures = uniform(random, 2 * height * width * channels);
  const predicted = read.predict(tf.tensor4d(pictures, shape)) as tf.Tensor;
  let values: ArrayLike<number> = predicted.dataSync();
  if (predicted.rank === 4) values = toChw(values, predicted.shape as [number, number, number, number]);
  const chw = toChw(pictures, shape);
  const inputShape = [2, channels, height, width];
  assertClose(values, (await onnxOutput(exportOnnx(model), inputShape, chw)).data, 1e-4);
  const again = importTfjs(json, (path) => files[path]);
  assertClose((await onnxOutput(exportOnnx(again), inputShape, chw)).data, values, 1e-4);
}

type Draft = { readonly kind: Layer['kind']; readonly name?: string; readonly inputs?: readonly string[] } & Record<
  string,
  unknown
>;

/** A network of these layers in a row on a map [4, 8, 6]. */
function chain(random: Random, ...drafts: readonly Draft[]): Model {
  const input = { kind: 'input', shape: [4, 8, 6], batched: true, type: 'float32' };
  let last: string[] = [];
  const layers = [input, ...drafts].map((draft, index) => {
    const layer = { learningRateFactor: 1, name: index === 0 ? 'x' : `layer${index}`, inputs: last, ...draft };
    if (layer.kind !== 'parameter') last = [layer.name];
    return layer as unknown as Layer;
  });
  const network = {
    architecture: 'chain',
    layers,
    preprocessing: unitPreprocessing(8, 6),
    classes: null,
    auxiliary: [],
  };
  return { network, weights: randomWeights(network, random) };
}

const conv = { kind: 'conv2d', outChannels: 6, kernel: [3, 2], stride: [2, 1], dilation: [1, 1], groups: 1 } as const;
const padding = { top: 1, left: 0, bottom: 2, right: 1 };
const none = { top: 0, left: 0, bottom: 0, right: 0 };
const pool = { kernel: [3, 2], stride: [2, 2], dilation: [1, 1], ceilMode: false, countIncludePad: false };
const act = (activation: unknown): Draft => ({ kind: 'activation', activation });

const CASES: Readonly<Record<string, readonly Draft[]>> = {
  'convolutions, uneven padding, dilation, depthwise with a multiplier': [
    { ...conv, padding, weight: 'w', bias: 'b' },
    { ...conv, padding, stride: [1, 1], dilation: [1, 2], weight: 'w2', bias: null },
    { ...conv, padding, stride: [1, 1], groups: 6, outChannels: 12, weight: 'w3', bias: 'b3' },
    { kind: 'dense2d', outFeatures: 3, weight: 'w4', bias: 'b4' },
  ],
  'a flattened map before dense layers, dropout between': [
    { kind: 'flatten', axis: 1 },
    act('relu'),
    { kind: 'dropout', rate: 0.3 },
    { kind: 'dense', outFeatures: 5, weight: 'w', bias: 'b' },
    { kind: 'dense', outFeatures: 3, weight: 'w2', bias: null },
    { kind: 'softmax', axis: 1 },
  ],
  'a flattened map at the end': [{ kind: 'flatten', axis: 1 }],
  'all activations': [
    act('silu'),
    act('hardSwish'),
    act('gelu'),
    act({ kind: 'leakyRelu', slope: 0.2 }),
    act('geluTanh'),
    act({ kind: 'hardSigmoid', alpha: 0.3, beta: 0.4 }),
    act('mish'),
    act({ kind: 'elu', alpha: 1 }),
    act('tanh'),
    act('softplus'),
    act({ kind: 'clip', min: 0, max: 0.9 }),
    { kind: 'prelu', weight: 'p', slopes: 4 },
    { kind: 'prelu', weight: 'q', slopes: 1 },
    act('sigmoid'),
  ],
  normalisations: [
    {
      kind: 'batchNorm',
      epsilon: 0.01,
      momentum: 0.1,
      weight: 'g',
      bias: null,
      runningMean: 'm',
      runningVariance: 'v',
    },
    { kind: 'channelNorm', epsilon: 0.01, weight: 'g2', bias: 'b2' },
    { kind: 'layerNorm', axes: 3, epsilon: 0.01, weight: 'g3', bias: 'b3' },
    { kind: 'globalAveragePool', flatten: true },
    { kind: 'layerNorm', axes: 1, epsilon: 0.01, weight: 'g4', bias: null },
  ],
  'poolings: padding of our own behind relu, ceil mode, the mean of all, one pixel': [
    act('relu'),
    { kind: 'maxPool', ...pool, padding: { top: 1, left: 1, bottom: 1, right: 0 } },
    { kind: 'maxPool', ...pool, stride: [3, 2], padding: none, ceilMode: true },
    {
      kind: 'averagePool',
      ...pool,
      kernel: [2, 2],
      stride: [1, 1],
      padding: { top: 1, left: 0, bottom: 1, right: 0 },
      countIncludePad: true,
    },
    { kind: 'globalAveragePool', flatten: false },
    { kind: 'reshape', shape: [0, -1] },
  ],
  'shapes in our own order': [
    { kind: 'channelShuffle', groups: 2 },
    { kind: 'reshape', shape: [0, 2, -1, 6] },
    { kind: 'transpose', permutation: [0, 1, 3, 2] },
    { kind: 'reshape', shape: [0, 6, 32] },
    { kind: 'transpose', permutation: [0, 2, 1] },
    { kind: 'flatten', axis: 1 },
  ],
  'parameters for each channel, merges, margins, another size': [
    { kind: 'parameter', name: 'scale', inputs: [], shape: [4, 1, 1], weight: 's', initial: 1 },
    { kind: 'parameter', name: 'shift', inputs: [], shape: [1], weight: 't', initial: 0 },
    { kind: 'binary', operator: 'mul', name: 'scaled', inputs: ['x', 'scale'] },
    { kind: 'binary', operator: 'sub', name: 'shifted', inputs: ['shift', 'scaled'] },
    { kind: 'globalAveragePool', flatten: false, name: 'mean', inputs: ['shifted'] },
    { kind: 'binary', operator: 'mul', name: 'gated', inputs: ['shifted', 'mean'] },
    { kind: 'binary', operator: 'max', name: 'larger', inputs: ['gated', 'x'] },
    { kind: 'add', name: 'twice', inputs: ['larger', 'x', 'larger'] },
    { kind: 'concat', axis: 2, name: 'joined', inputs: ['twice', 'x', 'larger'] },
    { kind: 'zeroPad', padding },
    { kind: 'pad', axes: [2, 3], before: [-1, 1], after: [2, -2], mode: 'constant', value: 0 },
    { kind: 'resize', size: [56, 12], scale: null, mode: 'linear', coordinates: 'asymmetric', rounding: 'floor' },
    { kind: 'reduce', operator: 'max', axes: [2, 3], keepDims: false },
  ],
};

describe('TF.js predicts with exported files what the network predicts, and they import again', () => {
  for (const [name, drafts] of Object.entries(CASES)) {
    test(name, async (t) => {
      const random = new Random(freshSeed(t));
      await predictions(chain(random, ...drafts), random);
    });
  }

  for (const name of ['mobilenet_v3_small', 'squeezenet1_1']) {
    test(`${name} at 32 pixels`, async (t) => {
      const random = new Random(freshSeed(t));
      const network = buildArchitecture(name, { inputSize: 32, classes: 4 });
      const weights = randomWeights(network, random);
      // Small enough for numbers that stay in range over many layers.
      for (const { shape, data } of weights.values()) {
        if (shape.length > 1)
          data.forEach((value, index) => (data[index] = value / Math.sqrt(data.length / (shape[0] as number))));
      }
      await predictions({ network, weights }, random);
    });
  }
});

test('labels and preprocessing go along and come back; large weights are cut into files', (t) => {
  const tiny = tinyNetwork(new Random(freshSeed(t)));
  const preprocessing = { ...tiny.network.preprocessing, channelOrder: 'BGR', mean: [0.1, 0.2, 0.3] } as const;
  const model = { ...tiny, network: { ...tiny.network, preprocessing } };
  const exported = exportTfjs(model);
  const again = importTfjs(jsonOf(exported), (path) => exported[path]).network;
  assert.deepEqual([again.classes, again.preprocessing], [model.network.classes, preprocessing]);
  const network = buildArchitecture('mobilenet_v2', { inputSize: 32, classes: 4 });
  const { files, conversion } = writeTfjs({ network, weights: randomWeights(network, new Random(1)) });
  const shards = Object.keys(files).filter((name) => name.endsWith('.bin'));
  assert.ok(shards.length > 2 && shards.every((name) => (files[name] as Uint8Array).length <= 4 * 2 ** 20));
  assert.ok(conversion.mapped.some(({ from, to }) => from === 'conv2d' && to === 'Conv2D'));
});

test('what TF.js has no layers for is refused, all in one list', (t) => {
  const model = chain(
    new Random(freshSeed(t)),
    { ...conv, groups: 2, padding: none, weight: 'w', bias: null, name: 'grouped' },
    { kind: 'maxPool', ...pool, padding: { top: 1, left: 1, bottom: 0, right: 0 }, name: 'pool' },
    { kind: 'localResponseNorm', size: 3, before: 1, alpha: 1, beta: 0.5, k: 1, name: 'lrn' },
  );
  assert.throws(
    () => exportTfjs(model),
    (error) => {
      assert.ok(error instanceof ModelError && error.code === 'UNSUPPORTED');
      assert.deepEqual(
        error.problems.map(({ layer, attribute }) => `${layer} ${attribute ?? ''}`.trim()),
        ['grouped groups 2', 'pool padding that is not TensorFlow\'s "same"', 'lrn'],
      );
      return true;
    },
  );
});
