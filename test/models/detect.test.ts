import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { resnet18 } from '../../src/models/architectures/resnet.js';
import { findClassifier } from '../../src/models/classifier.js';
import { writeZip } from '../../src/models/formats/zip/write.js';
import { importModel } from '../../src/models/detect.js';
import { writeModel, writeSafetensors } from '../../src/models/formats/safetensors.js';
import { replaceHead } from '../../src/models/head.js';
import { initializeWeights } from '../../src/models/initialize.js';
import { Random } from '../../src/models/random.js';
import { inferShapes } from '../../src/models/shapes.js';
import { summarize } from '../../src/models/summary.js';
import { truncateAt } from '../../src/models/surgery.js';
import { freshSeed, throwsModelError, tinyNetwork, uniform } from './fixtures.js';
import { FLOAT, onnxFile, tensor, valueInfo } from './onnxWriter.js';
import { referenceOutput } from './reference.js';

/** A TF.js model of one pooling and one dense layer, put together by hand. */
function tfjsFiles(): { model: Uint8Array; shard: Uint8Array } {
  const layers = [
    { class_name: 'GlobalAveragePooling2D', config: { name: 'pool', batch_input_shape: [null, 2, 2, 3] } },
    { class_name: 'Dense', config: { name: 'fc', units: 2, activation: 'softmax' } },
  ];
  const weights = [
    { name: 'fc/kernel', shape: [3, 2], dtype: 'float32' },
    { name: 'fc/bias', shape: [2], dtype: 'float32' },
  ];
  const json = {
    modelTopology: { class_name: 'Sequential', config: { name: 's', layers } },
    weightsManifest: [{ paths: ['group1-shard1of1.bin'], weights }],
  };
  const shard = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6, 0.5, -0.5).buffer);
  return { model: new TextEncoder().encode(`\uFEFF\n ${JSON.stringify(json)}`), shard };
}

const onnx = (): Uint8Array => {
  const conv = { op: 'Conv', inputs: ['x', 'w'], outputs: ['c'] };
  const pool = { op: 'GlobalAveragePool', inputs: ['c'], outputs: ['y'] };
  const initializers = [tensor('w', [2, 3, 1, 1], [1, 2, 3, 4, 5, 6], FLOAT)];
  return onnxFile({ nodes: [conv, pool], initializers, inputs: [valueInfo('x', [1, 3, 2, 2])] });
};

describe('importModel recognises files by what is in them', () => {
  test('safetensors with a network, under any name', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    const imported = importModel({ 'upload-17': writeModel(model) });
    assert.equal(imported.format, 'safetensors');
    assert.deepEqual(imported.network, model.network);
  });

  test('safetensors with the weights of a built-in architecture alone', () => {
    const network = resnet18({ classes: 4 });
    const file = writeSafetensors({ metadata: new Map(), tensors: initializeWeights(network, 1) });
    assert.deepEqual(importModel({ f: file }).network, network);
    const strange = writeSafetensors({
      metadata: new Map(),
      tensors: new Map([['a', { shape: [1], data: Float32Array.of(1) }]]),
    });
    throwsModelError(() => importModel({ f: strange }), 'UNKNOWN_FORMAT', /no built-in architecture/);
  });

  test('TF.js, the weight file under another name; the softmax goes', () => {
    const { model, shard } = tfjsFiles();
    for (const names of [
      ['model.json', 'group1-shard1of1.bin'],
      ['a', 'b'],
      ['m/model.json', 'm/group1-shard1of1.bin'],
    ]) {
      const imported = importModel({ [names[0] as string]: model, [names[1] as string]: shard });
      assert.equal(imported.format, 'tfjs');
      assert.equal(imported.network.layers.at(-1)?.name, 'fc');
      const x = [1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2];
      assert.deepEqual([...referenceOutput(imported.network, imported.weights, x).data], [11.5, 13.5]);
    }
    throwsModelError(() => importModel({ a: model }), 'INVALID_FILE', /group1-shard1of1\.bin is missing/);
  });

  test('ONNX; a last map of one pixel becomes a vector', () => {
    const imported = importModel(
      { f: onnx() },
      { classes: ['left', 'right'], preprocessing: { scale: 1, channelOrder: 'BGR' } },
    );
    assert.equal(imported.format, 'onnx');
    const last = imported.network.layers.at(-1)?.name ?? '';
    assert.deepEqual(inferShapes(imported.network).get(last), [2]);
    assert.deepEqual(imported.network.classes, ['left', 'right']);
    assert.deepEqual([imported.network.preprocessing.channelOrder, imported.network.preprocessing.height], ['BGR', 2]);
    throwsModelError(() => importModel({ f: onnx() }, { classes: ['one'] }), 'INVALID_NETWORK', /1 class labels but 2/);
  });

  test('what it cannot read, with advice', () => {
    throwsModelError(() => importModel({}), 'INVALID_ARGUMENT', /no file/);
    throwsModelError(() => importModel({ a: onnx(), b: onnx() }), 'INVALID_ARGUMENT', /a, b/);
    throwsModelError(
      () => importModel({ 'm.pt': Uint8Array.of(0x50, 0x4b, 3, 4) }),
      'INVALID_FILE',
      /zip: .* 22 bytes/,
    );
    throwsModelError(
      () => importModel({ 'm.pt': writeZip([{ name: 'a', data: Uint8Array.of(1) }]) }),
      'UNKNOWN_FORMAT',
      /m\.pt is a zip/,
    );
    throwsModelError(() => importModel({ 'm.h5': Uint8Array.of(0x1f, 0x8b, 0x44, 0x46) }), 'UNKNOWN_FORMAT', /gzip/);
    throwsModelError(
      () => importModel({ 'm.onnx': new Uint8Array() }),
      'UNKNOWN_FORMAT',
      /m\.onnx is in no format that Graft knows/,
    );
    const grey = onnxFile({
      nodes: [{ op: 'GlobalAveragePool', inputs: ['x'], outputs: ['y'] }],
      inputs: [valueInfo('x', [1, 1, 2, 2])],
    });
    throwsModelError(() => importModel({ grey }), 'UNSUPPORTED', /1 channels; pictures have 3/);
  });

  test('random bytes are refused', (t) => {
    const random = new Random(freshSeed(t));
    for (let trial = 0; trial < 300; trial++) {
      const bytes = Uint8Array.from(uniform(random, 200, 0, 256));
      if (trial % 3 === 1) bytes.set([0x08, 0x08, 0x3a]);
      if (trial % 3 === 2) bytes.set([100, 0, 0, 0, 0, 0, 0, 0, 0x7b]);
      assert.throws(() => importModel({ bytes }), { name: 'ModelError' });
    }
  });
});

const WEIGHTS = '../shared/weights';
const PICTURES = '../shared/data/imagenet-sample-40';

describe('real ONNX files', { skip: !existsSync(WEIGHTS) && `${WEIGHTS} is not there` }, () => {
  const load = (name: string, options = {}) =>
    importModel({ f: new Uint8Array(readFileSync(`${WEIGHTS}/${name}.onnx`)) }, options);
  const parameters = (model: ReturnType<typeof load>) =>
    summarize(model.network, model.weights).reduce((sum, layer) => sum + layer.parameters, 0);

  test('SqueezeNet 1.0 has its published parameters, and its head can be replaced', () => {
    const model = load('squeezenet1_0_imagenet');
    assert.equal(parameters(model), 1_248_424);
    assert.equal(findClassifier(model.network)?.name, 'conv_final');
    const { network } = replaceHead(model, { classes: ['a', 'b'], seed: 1 });
    assert.equal(network.layers.at(-3)?.name, 'fire9/concat');
  });

  test('MobileNet-v2 with folded batch norms: its head can be replaced, and its features are no classifier', () => {
    const model = load('mobilenet_v2_imagenet');
    const classifier = findClassifier(model.network);
    assert.equal(classifier?.kind === 'conv2d' && classifier.outChannels, 1001);
    const { network, weights } = truncateAt(model.network, model.weights, 'gap');
    assert.equal(findClassifier(network), null);
    const grafted = replaceHead(model, { classes: ['a', 'b'], seed: 1 });
    assert.deepEqual(grafted.network.layers.slice(0, -2), network.layers);
    assert.equal(weights.size, grafted.weights.size - 2);
  });

  test('MobileNet-v2 gives the reference logits for a picture', async (t) => {
    const { predictions } = JSON.parse(readFileSync(`${PICTURES}/reference.json`, 'utf8')) as {
      predictions: readonly { file: string; top5: readonly { index: number; logit: number }[] }[];
    };
    const [{ file, top5 }] = predictions as [(typeof predictions)[number]];
    const picture = sharp(`${PICTURES}/${file}`);
    const { width, height } = await picture.metadata();
    const [w, h] = [Math.round(width * 0.875), Math.round(height * 0.875)];
    const area = { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
    const pixels = await picture
      .extract(area)
      .resize(224, 224, { fit: 'fill', kernel: 'cubic' })
      .removeAlpha()
      .raw()
      .toBuffer();
    const x = Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => {
      const [channel, pixel] = [Math.floor(i / (224 * 224)), i % (224 * 224)];
      return (pixels[pixel * 3 + channel] as number) / 127.5 - 1;
    });
    const model = load('mobilenet_v2_imagenet');
    const { data } = referenceOutput(model.network, model.weights, x);
    assert.equal(data.indexOf(Math.max(...data)), top5[0]?.index);
    const worst = Math.max(...top5.map(({ index, logit }) => Math.abs((data[index] as number) - logit)));
    t.diagnostic(`largest difference ${worst}`);
    assert.ok(worst < 0.1);
  });
});
