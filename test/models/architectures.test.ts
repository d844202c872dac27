import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mobilenetV2 } from '../../src/models/architectures/mobilenetV2.js';
import { matchArchitecture } from '../../src/models/architectures/registry.js';
import { resnet18, resnet34, resnet50 } from '../../src/models/architectures/resnet.js';
import { squeezenet } from '../../src/models/architectures/squeezenet.js';
import { initializeWeights } from '../../src/models/initialize.js';
import { inferShapes, weightSpecs } from '../../src/models/shapes.js';
import { summarizeNetwork } from '../../src/models/summary.js';

/**
 * torchvision's documentation (https://pytorch.org/vision/stable/models.html): `num_params` and `_ops` (billions of
 * multiply-adds, two decimals) of each network's weights; `tensors`: length of its state_dict without num_batches_tracked.
 */
const PUBLISHED = [
  { network: mobilenetV2(), parameters: 3_504_872, billions: 0.3, tensors: 314 - 52 },
  { network: squeezenet({ version: '1.0' }), parameters: 1_248_424, billions: 0.82, tensors: 52 },
  { network: squeezenet({ version: '1.1' }), parameters: 1_235_496, billions: 0.35, tensors: 52 },
  { network: resnet18(), parameters: 11_689_512, billions: 1.81, tensors: 122 - 20 },
  { network: resnet34(), parameters: 21_797_672, billions: 3.66, tensors: 218 - 36 },
  { network: resnet50(), parameters: 25_557_032, billions: 4.09, tensors: 320 - 53 },
];

describe('built-in architectures have the published sizes', () => {
  for (const { network, parameters, billions, tensors } of PUBLISHED) {
    test(network.architecture, () => {
      const summary = summarizeNetwork(network);
      const total = (key: 'parameters' | 'multiplyAdds') => summary.reduce((sum, layer) => sum + layer[key], 0);
      assert.equal(total('parameters'), parameters);
      assert.equal((total('multiplyAdds') / 1e9).toFixed(2), billions.toFixed(2));
      assert.deepEqual(summary.at(-1)?.outputShape, [1000]);
      assert.equal(weightSpecs(network).length, tensors);
    });
  }
});

test("feature maps have the sizes of the papers' tables", () => {
  const shape = (network: ReturnType<typeof resnet18>, layer: string) => inferShapes(network).get(layer);
  assert.deepEqual(shape(resnet18(), 'maxpool'), [64, 56, 56]);
  assert.deepEqual(shape(resnet18(), 'layer4.1.relu2'), [512, 7, 7]);
  assert.deepEqual(shape(resnet50(), 'layer2.0.relu1'), [128, 56, 56]);
  assert.deepEqual(shape(resnet50(), 'layer4.2.relu3'), [2048, 7, 7]);
  assert.deepEqual(shape(mobilenetV2(), 'features.18.2'), [1280, 7, 7]);
  assert.deepEqual(shape(mobilenetV2(), 'features.7.conv.3'), [64, 14, 14]);
  // Table 1 of the SqueezeNet paper, for 224 pixels: maxpool1 55 (54 by its rounding), fire9 13.
  assert.deepEqual(shape(squeezenet({ version: '1.0' }), 'features.12.concat'), [512, 13, 13]);
});

test("weights carry torchvision's names and shapes", () => {
  const specs = (network: ReturnType<typeof resnet18>) =>
    new Map(weightSpecs(network).map(({ name, shape }) => [name, shape]));
  const mobilenet = specs(mobilenetV2());
  assert.deepEqual(mobilenet.get('features.0.0.weight'), [32, 3, 3, 3]);
  assert.deepEqual(mobilenet.get('features.1.conv.0.0.weight'), [32, 1, 3, 3]);
  assert.deepEqual(mobilenet.get('features.1.conv.1.weight'), [16, 32, 1, 1]);
  assert.deepEqual(mobilenet.get('features.2.conv.1.1.running_var'), [96]);
  assert.deepEqual(mobilenet.get('features.17.conv.3.bias'), [320]);
  assert.deepEqual(mobilenet.get('classifier.1.weight'), [1000, 1280]);
  const resnet = specs(resnet18());
  assert.deepEqual(resnet.get('layer1.0.conv1.weight'), [64, 64, 3, 3]);
  assert.deepEqual(resnet.get('layer2.0.downsample.0.weight'), [128, 64, 1, 1]);
  assert.deepEqual(resnet.get('layer2.0.downsample.1.running_mean'), [128]);
  assert.deepEqual(resnet.get('fc.weight'), [1000, 512]);
  const deep = specs(resnet50());
  assert.deepEqual(deep.get('layer1.0.conv1.weight'), [64, 64, 1, 1]);
  assert.deepEqual(deep.get('layer1.0.downsample.0.weight'), [256, 64, 1, 1]);
  assert.deepEqual(deep.get('layer2.0.conv2.weight'), [128, 128, 3, 3]);
  assert.deepEqual(deep.get('layer4.2.bn3.running_var'), [2048]);
  assert.deepEqual(deep.get('fc.weight'), [1000, 2048]);
  const squeeze = specs(squeezenet({ version: '1.1' }));
  assert.deepEqual(squeeze.get('features.0.weight'), [64, 3, 3, 3]);
  assert.deepEqual(squeeze.get('features.12.expand3x3.weight'), [256, 64, 3, 3]);
  assert.deepEqual(squeeze.get('classifier.1.weight'), [1000, 512, 1, 1]);
});

test("MobileNet-v2's width multiplier rounds channels as its authors' code does", () => {
  // Parameters (millions) in timm's table of results: mobilenetv2_050 and mobilenetv2_140.
  const millions = (width: number) =>
    summarizeNetwork(mobilenetV2({ width })).reduce((sum, layer) => sum + layer.parameters, 0) / 1e6;
  assert.equal(millions(0.5).toFixed(2), '1.97');
  assert.equal(millions(1.4).toFixed(2), '6.11');
});

test('weights alone are recognised, with any number of classes and with PyTorch counters', () => {
  for (const make of [resnet18, resnet50, mobilenetV2]) {
    const network = make({ classes: 7 });
    const weights = new Map(initializeWeights(network, 1));
    assert.equal(matchArchitecture(weights)?.architecture, network.architecture);
    assert.deepEqual(matchArchitecture(weights)?.layers, network.layers);
    weights.set('bn1.num_batches_tracked', { shape: [], data: Float32Array.of(3) });
    assert.equal(matchArchitecture(weights)?.architecture, network.architecture);
    weights.set('something.else', { shape: [1], data: Float32Array.of(3) });
    assert.equal(matchArchitecture(weights), null);
  }
});
