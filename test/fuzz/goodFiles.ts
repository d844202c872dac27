import { readFileSync } from 'node:fs';
import type { ModelFiles } from '../../src/models/detect.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import { resnetCifar } from '../../src/models/architectures/resnetCifar.js';
import { writePytorch } from '../../src/models/formats/pytorch/write.js';
import { exportTfjs } from '../../src/models/formats/tfjs/exportTfjs.js';
import { writeModel } from '../../src/models/formats/safetensors.js';
import type { Model } from '../../src/models/graph.js';
import { Random } from '../../src/models/random.js';
import { randomWeights, tinyNetwork } from '../models/fixtures.js';
import { legacyFile } from '../models/legacyWriter.js';
import { squeezenet } from '../../src/models/architectures/squeezenet.js';

/** A small file, or several that belong together, that imports as it is. The first is the one that is mutated most. */
export interface GoodFile {
  readonly format: string;
  readonly name: string;
  readonly files: ModelFiles;
}

/** A network of another shape: branches, ceil mode, a convolution as its classifier. */
function branches(random: Random): Model {
  const network = squeezenet({ version: '1.1', inputSize: 32, classes: 3 });
  const cut = network.layers.findIndex(({ name }) => name === 'features.5');
  const layers = network.layers.slice(0, cut);
  const whole = { ...network, layers };
  return { network: whole, weights: randomWeights(whole, random) };
}

/** One file or more of every format that Graft reads; the same ones each time. */
export function goodFiles(): GoodFile[] {
  const random = new Random(1);
  const models = { tiny: tinyNetwork(random), branches: branches(random) };
  const cifar = resnetCifar({ depth: 20, classes: 3 });
  const checkpoint = writePytorch({ network: cifar, weights: randomWeights(cifar, random) });
  const torch: GoodFile[] = [
    { format: 'pytorch', name: 'cifar.pth', files: { 'model.pth': checkpoint } },
    { format: 'pytorch', name: 'legacy.pth', files: { 'model.pth': legacyFile(checkpoint) } },
  ];
  const others = Object.entries(models).flatMap(([name, model]): GoodFile[] => [
    { format: 'onnx', name: `${name}.onnx`, files: { 'model.onnx': exportOnnx(model, { softmax: name === 'tiny' }) } },
    { format: 'safetensors', name: `${name}.safetensors`, files: { 'model.safetensors': writeModel(model) } },
  ]);
  return [...others, ...torch, ...tensorflow()];
}

const fixtures = new URL('../../../test/fixtures/', import.meta.url);

/** The files of Keras, TensorFlow and TF.js that the tests of their importers read. */
function tensorflow(): GoodFile[] {
  const read = (path: string): Uint8Array => readFileSync(new URL(path, fixtures));
  const single = (format: string, path: string): GoodFile => ({ format, name: path, files: { [path]: read(path) } });
  const folder = (path: string): GoodFile => ({
    format: 'tfjs',
    name: path,
    files: {
      'model.json': read(`${path}/model.json`),
      'group1-shard1of1.bin': read(`${path}/group1-shard1of1.bin`),
    },
  });
  const layers = exportTfjs(tinyNetwork(new Random(1)));
  return [
    single('keras', 'keras/nested.keras3.h5'),
    single('keras', 'keras/mixed.keras2.h5'),
    single('keras', 'keras/nested.keras3.keras'),
    single('tflite', 'tflite/shapes.tflite'),
    single('tflite', 'tflite/int8.tflite'),
    folder('tfjs/shapes'),
    folder('tfjs/mixed_uint8'),
    { format: 'tfjs', name: 'layers-model', files: layers },
  ];
}
