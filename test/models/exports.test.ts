import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as ort from 'onnxruntime-node';
import { fromBufferPromise } from 'yauzl';
import { resnet18 } from '../../src/models/architectures/resnet.js';
import { importModel } from '../../src/models/detect.js';
import { exportModel, type ExportedFile, packExport } from '../../src/models/exports/exportModel.js';
import type { OnnxExportOptions } from '../../src/models/formats/onnx/exportOnnx.js';
import { readModel } from '../../src/models/formats/safetensors.js';
import { adaptInputChannels } from '../../src/models/inputChannels.js';
import type { Model } from '../../src/models/graph.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { Preprocessing } from '../../src/models/network.js';
import { normalized, unitPreprocessing } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { assertClose, freshSeed, throwsModelError, tinyNetwork } from './fixtures.js';
import { referenceOutput } from './reference.js';

const preprocessing: Preprocessing = {
  ...unitPreprocessing(9, 9),
  fit: 'resizeThenCrop',
  cropFraction: 0.75,
  channelOrder: 'BGR',
  scale: 127.5,
  mean: [1, 0.9, 1.2],
  std: [1.5, 0.3, 0.8],
};

function model(random: Random): Model {
  const tiny = tinyNetwork(random);
  return { ...tiny, network: { ...tiny.network, preprocessing } };
}

const byName = (files: readonly ExportedFile[]): Record<string, Uint8Array> =>
  Object.fromEntries(files.map(({ name, data }) => [name, data]));
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

async function unzip(archive: Uint8Array): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  const zip = await fromBufferPromise(Buffer.from(archive), { lazyEntries: true });
  for await (const entry of zip.eachEntry())
    files[entry.fileName] = await buffer(await zip.openReadStreamPromise(entry));
  return files;
}

/** The module of a README, its one library given instead of imported. */
async function moduleOf<T>(source: string, library: unknown): Promise<T> {
  const body = source.replace(
    /^import \* as (\w+) from .*\n/,
    'let $1;\nexport const use = (library) => ($1 = library);\n',
  );
  const found = (await import(`data:text/javascript,${encodeURIComponent(body)}`)) as T & {
    use: (library: unknown) => void;
  };
  found.use(library);
  return found;
}

/** Runs the module of a README that is for ONNX. */
async function classifyBy(readme: string, onnx: Uint8Array, rgba: Uint8Array): Promise<ArrayLike<number>> {
  const source = /```js\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  assert.match(source, /^import \* as ort from 'onnxruntime-web';\n/);
  const { classify } = await moduleOf<{
    classify: (session: ort.InferenceSession, rgba: Uint8Array) => Promise<Float32Array>;
  }>(source, ort);
  const session = await ort.InferenceSession.create(onnx);
  try {
    return await classify(session, rgba);
  } finally {
    await session.release();
  }
}

/** The files of a layers-model as TF.js's loader wants them. */
function layersModel(files: Readonly<Record<string, Uint8Array>>) {
  const json = JSON.parse(text(files['tfjs/model.json']));
  const [{ paths, weights }] = json.weightsManifest;
  const data = Buffer.concat(paths.map((path: string) => files[`tfjs/${path}`]));
  const weightData = Uint8Array.from(data).buffer;
  return tfl.loadLayersModel({
    load: async () => ({ modelTopology: json.modelTopology, weightSpecs: weights, weightData }),
  });
}

describe('exports', () => {
  const variants: Readonly<Record<string, OnnxExportOptions>> = {
    'the network as it is': {},
    'pictures as uint8 NHWC, probabilities': { pictures: { type: 'uint8', layout: 'NHWC' }, softmax: true },
    'pictures as float32 NCHW': { pictures: { type: 'float32', layout: 'NCHW' } },
  };
  for (const [name, options] of Object.entries(variants)) {
    test(`the README of a folder says how to run its ONNX file: ${name}`, async (t) => {
      const random = new Random(freshSeed(t));
      const exported = model(random);
      const files = byName(exportModel('pets', exported, 'folder', options).files);
      const rgba = Uint8Array.from({ length: 81 * 4 }, () => Math.floor(256 * random.uniform()));
      const actual = await classifyBy(text(files['README.md']), files['model.onnx'] as Uint8Array, rgba);
      const { mean, std, scale } = preprocessing;
      const x = Float32Array.from({ length: 243 }, (_, i) => {
        const c = Math.floor(i / 81);
        return ((rgba[4 * (i % 81) + 2 - c] as number) / scale - (mean[c] as number)) / (std[c] as number);
      });
      const logits = [...referenceOutput(exported.network, exported.weights, x).data];
      const sum = logits.reduce((total, value) => total + Math.exp(value), 0);
      assertClose(actual, options.softmax ? logits.map((value) => Math.exp(value) / sum) : logits);
    });
  }

  test('the README of a folder says how to make pictures grey', async (t) => {
    const random = new Random(freshSeed(t));
    const grey = adaptInputChannels(model(random), 1);
    const files = byName(exportModel('pets', grey, 'folder').files);
    const readme = text(files['README.md']);
    const rgba = Uint8Array.from({ length: 81 * 4 }, () => Math.floor(256 * random.uniform()));
    const actual = await classifyBy(readme, files['model.onnx'] as Uint8Array, rgba);
    const { mean, std, scale } = preprocessing;
    const x = Float32Array.from({ length: 81 }, (_, i) =>
      [0.299, 0.587, 0.114].reduce(
        (sum, part, c) =>
          sum + (part * ((rgba[4 * i + c] as number) / scale - (mean[c] as number))) / (std[c] as number),
        0,
      ),
    );
    assertClose(actual, referenceOutput(grey.network, grey.weights, x).data, 1e-5);
    assert.match(readme, /one channel, 0\.299 red/);
    assert.match(readme, /x = x @ np\.array\(\[0\.299, 0\.587, 0\.114\]\)\[:, None\]/);
  });

  test('the README of a folder says how to run its TF.js model', async (t) => {
    const random = new Random(freshSeed(t));
    const exported = model(random);
    const files = byName(exportModel('pets', exported, 'folder').files);
    const rgba = Uint8Array.from({ length: 81 * 4 }, () => Math.floor(256 * random.uniform()));
    const [, , source = ''] = text(files['README.md']).split('```js\n');
    assert.match(source, /^import \* as tf from '@tensorflow\/tfjs';\n/);
    const { classify } = await moduleOf<{
      classify: (model: tfl.LayersModel, rgba: Uint8Array) => Promise<Float32Array>;
    }>(source.split('```')[0] as string, tf);
    const actual = await classify(await layersModel(files), rgba);
    const pixels = Uint8Array.from({ length: 243 }, (_, i) => rgba[4 * Math.floor(i / 3) + (i % 3)] as number);
    assertClose(actual, referenceOutput(exported.network, exported.weights, normalized(pixels, preprocessing)).data);
  });

  test('a folder holds labels, preprocessing and the network, and is imported again from its zip', async (t) => {
    const exported = model(new Random(freshSeed(t)));
    const { files, conversions } = exportModel('pets', exported, 'folder');
    const named = byName(files);
    assert.equal(text(named['labels.txt']), 'ant\nbee\ncat\ndog\nelk\n');
    assert.deepEqual(JSON.parse(text(named['preprocessing.json'])), preprocessing);
    assert.deepEqual(
      conversions.map(({ format }) => format),
      ['ONNX', 'PyTorch', 'TF.js layers-model', 'safetensors'],
    );
    const { name, data } = packExport('pets', files);
    assert.equal(name, 'pets.zip');
    const again = importModel(await unzip(data));
    assert.equal(again.format, 'folder');
    assert.deepEqual(again.network, exported.network);
    assert.deepEqual(again.weights, exported.weights);
    throwsModelError(
      () => importModel({ 'network.json': named['network.json'] as Uint8Array }),
      'INVALID_FILE',
      /weights/,
    );
  });

  test('single files have the name given', (t) => {
    const exported = model(new Random(freshSeed(t)));
    const { files, conversions } = exportModel('pets', exported, 'safetensors');
    const packed = packExport('pets', files);
    assert.equal(packed.name, 'pets.safetensors');
    assert.deepEqual(readModel(packed.data), exported);
    assert.equal(conversions[0]?.format, 'safetensors');
    assert.equal(packExport('pets', exportModel('pets', exported, 'onnx').files).name, 'pets.onnx');
  });

  test("a README loads a .pth file into torchvision's network where the names are torchvision's", (t) => {
    const seed = freshSeed(t);
    const network = resnet18({ classes: 3, inputSize: 32 });
    const readme = text(
      byName(exportModel('pets', { network, weights: initializeWeights(network, seed) }, 'folder').files)['README.md'],
    );
    assert.match(readme, /torchvision\.models\.resnet18\(num_classes=3\)/);
    const other = text(byName(exportModel('pets', model(new Random(seed)), 'folder').files)['README.md']);
    assert.match(other, /state = torch\.load\("model\.pth", weights_only=True\)/);
    assert.doesNotMatch(other, /torchvision\.models/);
  });

  test('what a format cannot say is refused, and left out of a folder with the reason', (t) => {
    const tiny = model(new Random(freshSeed(t)));
    const [input, ...rest] = tiny.network.layers;
    const grow = {
      kind: 'resize',
      name: 'grow',
      inputs: ['input'],
      learningRateFactor: 1,
      size: [18, 18],
      scale: null,
      mode: 'linear',
      coordinates: 'tf_half_pixel_for_nn',
      rounding: 'floor',
    } as const;
    const layers = rest.map((layer) => (layer.name === 'conv1' ? { ...layer, inputs: ['grow'] } : layer));
    const exported = { ...tiny, network: { ...tiny.network, layers: [input as never, grow, ...layers] } };
    throwsModelError(() => exportModel('pets', exported, 'onnx'), 'UNSUPPORTED', /grow/);
    const inFolder = exportModel('pets', exported, 'folder');
    assert.match(inFolder.leftOut.join('\n'), /^model\.onnx: The layer grow/);
    const files = byName(inFolder.files);
    assert.equal(files['model.onnx'], undefined);
    assert.match(text(files['README.md']), /## Not in this folder\n\n- model.onnx: The layer grow/);
  });

  test('labels are left out only where there are some', (t) => {
    const tiny = model(new Random(freshSeed(t)));
    const ignoredOf = (classes: readonly string[] | null) => {
      const exported = { ...tiny, network: { ...tiny.network, classes } };
      return exportModel('pets', exported, 'pytorch').conversions[0]?.ignored.map((line) => line.split(':')[0]);
    };
    assert.deepEqual(ignoredOf(null), ['layers', 'preprocessing']);
    assert.deepEqual(ignoredOf(tiny.network.classes ?? ['a', 'b', 'c']), ['layers', 'labels', 'preprocessing']);
  });

  test('the conversion counts what became of the layers', (t) => {
    const [conversion] = exportModel('pets', model(new Random(freshSeed(t))), 'onnx').conversions;
    assert.deepEqual(conversion, {
      format: 'ONNX',
      version: 'operator set 17',
      mapped: [
        { from: 'conv2d', to: 'Conv', count: 2 },
        { from: 'batchNorm', to: 'BatchNormalization', count: 1 },
        { from: 'activation', to: 'Clip', count: 1 },
        { from: 'add', to: 'Add', count: 1 },
        { from: 'globalAveragePool', to: 'ReduceMean', count: 1 },
        { from: 'dense', to: 'Gemm', count: 2 },
        { from: 'activation', to: 'Relu', count: 1 },
        { from: 'dropout', to: 'Dropout', count: 1 },
      ],
      folded: [],
      ignored: ['preprocessing: to be done before, see graft.preprocessing in the metadata'],
    });
  });
});
