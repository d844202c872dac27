import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ModelError } from '../../src/models/errors.js';
import { importTfjs } from '../../src/models/formats/tfjs.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import type { Model } from '../../src/models/graph.js';
import { Random } from '../../src/models/random.js';
import { simplify } from '../../src/models/simplify.js';
import { assertClose, freshSeed, throwsModelError, toChw, uniform } from './fixtures.js';
import { onnxOutput } from './onnxRuntime.js';

interface Saved {
  readonly json: {
    modelTopology: unknown;
    weightsManifest: { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[];
  };
  readonly shard: Uint8Array;
}

/** What tfjs writes to disk for a model, kept in memory. */
async function save(model: tfl.LayersModel): Promise<Saved> {
  let saved: Saved | null = null;
  await model.save({
    save: async (artifacts) => {
      // tfjs's file handlers write the topology as JSON text, so it goes through text here as well.
      const modelTopology: unknown = JSON.parse(JSON.stringify(artifacts.modelTopology));
      const weights = artifacts.weightSpecs ?? [];
      const shard = new Uint8Array(artifacts.weightData as ArrayBuffer);
      saved = { json: { modelTopology, weightsManifest: [{ paths: ['w.bin'], weights }] }, shard };
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  });
  return saved as unknown as Saved;
}

const load = ({ json, shard }: Saved): Model => importTfjs(json, (path) => (path === 'w.bin' ? shard : undefined));

/** Random values in every weight; a batch norm's moving variance must be positive. */
function randomize(model: tfl.LayersModel, random: Random): void {
  const values = model.weights.map((weight) => {
    const low = weight.name.includes('moving_variance') ? 0.5 : -1;
    const length = weight.shape.reduce<number>((product, size) => product * (size as number), 1);
    return tf.tensor(uniform(random, length, low, low + 2), weight.shape as number[]);
  });
  model.setWeights(values);
}

/** Saves, imports and evaluates a model; the result must be tfjs's own. */
async function agrees(model: tfl.LayersModel, random: Random): Promise<Model> {
  randomize(model, random);
  const [, height, width, channels] = (model.inputs[0] as tfl.SymbolicTensor).shape as [number, number, number, number];
  const batch = 2;
  const shape = [batch, height, width, channels] as const;
  const pictures = uniform(random, batch * height * width * channels);
  const expected = model.predict(
    tf.tensor4d(pictures, shape as unknown as [number, number, number, number]),
  ) as tf.Tensor;
  let values: ArrayLike<number> = expected.dataSync();
  if (expected.rank === 4) values = toChw(values, expected.shape as [number, number, number, number]);
  const imported = load(await save(model));
  const input = toChw(pictures, shape);
  for (const one of [imported, simplify(imported)]) {
    const { data } = await onnxOutput(exportOnnx(one), [batch, channels, height, width], input);
    assertClose(data, values);
  }
  return imported;
}

const { layers } = tfl;
const sequential = (...list: tfl.layers.Layer[]) => tfl.sequential({ layers: list });

describe('TF.js models imported here compute what tfjs computes', () => {
  const inputShape = [11, 8, 3] as [number, number, number];
  const cases: Record<string, () => tfl.LayersModel> = {
    'convolutions with same padding, strides, dilation and activations': () =>
      sequential(
        layers.conv2d({ inputShape, filters: 4, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
        layers.conv2d({ filters: 5, kernelSize: [2, 3], padding: 'same', dilationRate: [2, 1], useBias: false }),
        layers.conv2d({ filters: 3, kernelSize: [3, 2], strides: [1, 2], activation: 'relu6' }),
      ),
    'depthwise with multiplier, separable': () =>
      sequential(
        layers.depthwiseConv2d({ inputShape, kernelSize: 3, depthMultiplier: 2, padding: 'same', strides: [2, 2] }),
        // tfjs itself leaves a separable convolution's depthMultiplier out of what it saves.
        layers.separableConv2d({ filters: 5, kernelSize: 3, padding: 'same', activation: 'relu' }),
        layers.separableConv2d({ filters: 2, kernelSize: [1, 2], useBias: false }),
      ),
    'batch norm with and without scale and offset': () =>
      sequential(
        layers.batchNormalization({ inputShape, momentum: 0.9, epsilon: 0.01 }),
        layers.conv2d({ filters: 4, kernelSize: 1 }),
        layers.batchNormalization({ center: false }),
        layers.reLU({ maxValue: 6 }),
        layers.batchNormalization({ scale: false }),
        layers.reLU(),
      ),
    'poolings with same padding': () =>
      sequential(
        layers.maxPooling2d({ inputShape, poolSize: 3, strides: 2, padding: 'same' }),
        layers.averagePooling2d({ poolSize: [2, 3], strides: [1, 2], padding: 'same' }),
        layers.maxPooling2d({ poolSize: 2, strides: 1 }),
      ),
    'zero padding, flatten of a map before dense': () =>
      sequential(
        layers.zeroPadding2d({
          inputShape,
          padding: [
            [1, 2],
            [0, 3],
          ] as [[number, number], [number, number]],
        }),
        layers.conv2d({ filters: 4, kernelSize: 3, strides: 3 }),
        layers.flatten(),
        layers.dropout({ rate: 0.4 }),
        layers.dense({ units: 6, activation: 'relu' }),
        layers.dense({ units: 4, activation: 'softmax' }),
      ),
    'reshapes that flatten, and that make one pixel of a vector': () =>
      sequential(
        layers.conv2d({ inputShape, filters: 4, kernelSize: 3 }),
        layers.globalAveragePooling2d({}),
        layers.reshape({ targetShape: [1, 1, 4] }),
        layers.conv2d({ filters: 6, kernelSize: 1 }),
        layers.reshape({ targetShape: [6] }),
        layers.activation({ activation: 'softmax' }),
      ),
    'global max pooling, dense on a map': () =>
      sequential(layers.dense({ inputShape, units: 5, activation: 'relu' }), layers.globalMaxPooling2d({})),
    'a reshape that flattens a map before dense': () =>
      sequential(
        layers.maxPooling2d({ inputShape, poolSize: 4 }),
        layers.reshape({ targetShape: [2 * 2 * 3] }),
        layers.dense({ units: 4 }),
      ),
    'a graph with add and concatenate': () => {
      const input = pictureInput(inputShape);
      const a = layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same' }).apply(input) as tfl.SymbolicTensor;
      const b = layers.conv2d({ filters: 4, kernelSize: 1 }).apply(input) as tfl.SymbolicTensor;
      const sum = layers.add().apply([a, b, a]) as tfl.SymbolicTensor;
      const joined = layers.concatenate().apply([sum, input, b]) as tfl.SymbolicTensor;
      return tfl.model({
        inputs: input,
        outputs: layers.globalAveragePooling2d({}).apply(joined) as tfl.SymbolicTensor,
      });
    },
    'activations as layers and inside layers': () =>
      sequential(
        layers.conv2d({ inputShape, filters: 4, kernelSize: 3, activation: 'tanh' }),
        layers.leakyReLU({ alpha: 0.2 }),
        layers.conv2d({ filters: 4, kernelSize: 1, activation: 'selu' }),
        layers.elu(),
        layers.conv2d({ filters: 4, kernelSize: 1, activation: 'hardSigmoid' }),
        layers.activation({ activation: 'softplus' }),
        layers.conv2d({ filters: 4, kernelSize: 1, activation: 'softsign' }),
        layers.reLU({ maxValue: 0.3 }),
        layers.conv2d({ filters: 4, kernelSize: 1, activation: 'swish' }),
        layers.activation({ activation: 'mish' }),
        layers.conv2d({ filters: 4, kernelSize: 1, activation: 'sigmoid' }),
        layers.activation({ activation: 'gelu' }),
        layers.globalAveragePooling2d({}),
        layers.softmax({}),
      ),
    'slopes for each pixel, each channel, and one for all': () =>
      sequential(
        layers.prelu({ inputShape }),
        layers.conv2d({ filters: 4, kernelSize: 3 }),
        layers.prelu({ sharedAxes: [1, 2] }),
        layers.flatten(),
        layers.prelu({}),
        layers.dense({ units: 3 }),
        layers.prelu({ sharedAxes: [1] }),
      ),
    'layer normalisation of pixels and of vectors': () =>
      sequential(
        layers.layerNormalization({ inputShape, epsilon: 0.1 }),
        layers.layerNormalization({ axis: [1, 2, 3], scale: false }),
        layers.globalAveragePooling2d({}),
        layers.layerNormalization({ center: false }),
      ),
    'maps cut, enlarged and turned': () =>
      sequential(
        layers.cropping2D({
          inputShape,
          cropping: [
            [1, 0],
            [2, 1],
          ],
        }),
        layers.upSampling2d({ size: [2, 3] }),
        layers.upSampling2d({ size: [2, 1], interpolation: 'bilinear' }),
        layers.permute({ dims: [2, 1, 3] }),
        layers.conv2d({ filters: 2, kernelSize: 3 }),
        layers.permute({ dims: [3, 1, 2] }),
        layers.maxPooling2d({ poolSize: [1, 4] }),
      ),
    'maps in other shapes, in the order of TensorFlow': () =>
      sequential(
        layers.reshape({ inputShape, targetShape: [8, 11, 3] }),
        layers.conv2d({ filters: 4, kernelSize: 3 }),
        layers.reshape({ targetShape: [-1, 12] }),
        layers.dense({ units: 5 }),
        layers.reshape({ targetShape: [3, 2, 3, 5] }),
        layers.flatten(),
        layers.reshape({ targetShape: [9, 10, 1] }),
        layers.conv2d({ filters: 2, kernelSize: 2 }),
        layers.flatten(),
      ),
    'a vector repeated, and merges of maps': () => {
      const input = pictureInput(inputShape);
      const conv = () => layers.conv2d({ filters: 4, kernelSize: 3 }).apply(input) as tfl.SymbolicTensor;
      const [a, b, c] = [conv(), conv(), conv()];
      const merged = [
        layers.maximum().apply([a, b, c]),
        layers.minimum().apply([a, b]),
        layers.average().apply([a, b, c]),
        layers.multiply().apply([a, b, c]),
      ] as tfl.SymbolicTensor[];
      const joined = layers.concatenate({ axis: 1 }).apply(merged) as tfl.SymbolicTensor;
      const vector = layers.globalMaxPooling2d({}).apply(joined) as tfl.SymbolicTensor;
      const outputs = layers.repeatVector({ n: 3 }).apply(vector) as tfl.SymbolicTensor;
      return tfl.model({ inputs: input, outputs });
    },
    'models inside models': () => {
      const input = pictureInput(inputShape);
      const inner = layers.conv2d({ filters: 4, kernelSize: 3 }).apply(input) as tfl.SymbolicTensor;
      const outputs = layers.reLU().apply(inner) as tfl.SymbolicTensor;
      const trunk = tfl.model({ inputs: input, outputs, name: 'trunk' });
      const head = sequential(layers.globalAveragePooling2d({ inputShape: [9, 6, 4] }), layers.dense({ units: 3 }));
      return sequential(trunk as unknown as tfl.layers.Layer, head as unknown as tfl.layers.Layer);
    },
  };
  for (const [name, make] of Object.entries(cases)) {
    test(name, async (t) => void (await agrees(make(), new Random(freshSeed(t)))));
  }
});

const pictureInput = (shape: [number, number, number]): tfl.SymbolicTensor => tfl.input({ shape });

test("a batch norm's momentum becomes the weight of the newest batch", async (t) => {
  const model = sequential(layers.batchNormalization({ inputShape: [3, 3, 3], momentum: 0.75 }));
  const { network } = await agrees(model, new Random(freshSeed(t)));
  const norm = network.layers.find((layer) => layer.kind === 'batchNorm');
  assert.equal(norm?.kind === 'batchNorm' && norm.momentum, 0.25);
});

test('explicit zero padding moves into the convolution, and a pooling of the whole map becomes global', async (t) => {
  const model = sequential(
    layers.zeroPadding2d({
      inputShape: [6, 6, 3],
      padding: [
        [0, 1],
        [0, 1],
      ] as [[number, number], [number, number]],
    }),
    layers.conv2d({ filters: 4, kernelSize: 3, strides: 2 }),
    layers.averagePooling2d({ poolSize: 3 }),
  );
  const { network } = simplify(await agrees(model, new Random(freshSeed(t))));
  assert.deepEqual(
    network.layers.map((layer) => layer.kind),
    ['input', 'conv2d', 'globalAveragePool'],
  );
});

describe('TF.js: what cannot be imported is said', () => {
  test('everything unsupported in one list', async () => {
    const model = sequential(
      layers.conv2d({ inputShape: [8, 8, 3], filters: 2, kernelSize: 3, name: 'first' }),
      layers.thresholdedReLU({ name: 'step' }),
      layers.conv2dTranspose({ filters: 2, kernelSize: 3, name: 'up' }),
      layers.conv2d({ filters: 2, kernelSize: 3, activation: 'tanh', name: 'second' }),
      layers.flatten(),
    );
    const saved = await save(model);
    const text = JSON.stringify(saved.json).replace('"activation":"tanh"', '"activation":"wave"');
    assert.throws(
      () => load({ ...saved, json: JSON.parse(text) }),
      (error) => {
        assert.ok(error instanceof ModelError && error.code === 'UNSUPPORTED');
        const found = error.problems.map(({ layer, kind, attribute }) => `${kind} ${layer} ${attribute ?? ''}`.trim());
        assert.deepEqual(found, ['ThresholdedReLU step', 'Conv2DTranspose up', 'Conv2D second activation = "wave"']);
        return true;
      },
    );
  });

  test('damaged files give ModelError', async (t) => {
    const random = new Random(freshSeed(t));
    const model = sequential(
      layers.conv2d({ inputShape: [5, 5, 3], filters: 2, kernelSize: 3 }),
      layers.batchNormalization(),
      layers.flatten(),
      layers.dense({ units: 2 }),
    );
    const saved = await save(model);
    const short = { ...saved, shard: saved.shard.subarray(0, saved.shard.length - 1) };
    throwsModelError(() => load(short), 'INVALID_FILE', /end at/);
    throwsModelError(() => importTfjs(saved.json, () => undefined), 'INVALID_FILE', /w\.bin is missing/);
    const text = JSON.stringify(saved.json);
    for (let trial = 0; trial < 800; trial++) {
      const at = random.uint32() % text.length;
      const replacement = String.fromCharCode(32 + (random.uint32() % 95));
      const damaged = text.slice(0, at) + replacement + text.slice(at + 1);
      let json: unknown;
      try {
        json = JSON.parse(damaged);
      } catch {
        continue;
      }
      try {
        importTfjs(json, () => saved.shard);
      } catch (error) {
        assert.ok(error instanceof ModelError, `${damaged.slice(at - 20, at + 20)}: ${String(error)}`);
      }
    }
  });

  test('a loop, and a layer that does not exist', async () => {
    const input = pictureInput([4, 4, 3]);
    const a = layers.conv2d({ filters: 3, kernelSize: 1, name: 'a' }).apply(input) as tfl.SymbolicTensor;
    const b = layers.conv2d({ filters: 3, kernelSize: 1, name: 'b' }).apply(a) as tfl.SymbolicTensor;
    const saved = await save(tfl.model({ inputs: input, outputs: b }));
    const rewired = (from: string) => {
      const json = JSON.parse(JSON.stringify(saved.json));
      json.modelTopology.config.layers.find((layer: { name: string }) => layer.name === 'a').inbound_nodes[0][0][0] =
        from;
      return { ...saved, json };
    };
    throwsModelError(() => load(rewired('b')), 'INVALID_FILE', /loop/);
    throwsModelError(() => load(rewired('nowhere')), 'INVALID_FILE', /nowhere/);
  });
});
