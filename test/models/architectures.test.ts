import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { googlenet } from '../../src/models/architectures/googlenet.js';
import { inceptionV3 } from '../../src/models/architectures/inceptionV3.js';
import { matchArchitecture } from '../../src/models/architectures/match.js';
import { mobilenetV2 } from '../../src/models/architectures/mobilenetV2.js';
import { ARCHITECTURES, buildArchitecture } from '../../src/models/architectures/registry.js';
import { resnet18, resnet50 } from '../../src/models/architectures/resnet.js';
import { squeezenet } from '../../src/models/architectures/squeezenet.js';
import { ancestors } from '../../src/models/graph.js';
import { initializeWeights } from '../../src/models/initialize.js';
import { replaceHead } from '../../src/models/head.js';
import type { Network } from '../../src/models/network.js';
import { networkFromJson, networkToJson } from '../../src/models/networkJson.js';
import { inferShapes, weightSpecs } from '../../src/models/shapes.js';
import { summarizeNetwork } from '../../src/models/summary.js';
import { throwsModelError } from './fixtures.js';
import { FACTS, namesHash } from './torchvision/facts.js';

/**
 * torchvision's documentation (https://pytorch.org/vision/stable/models.html): `num_params` and `_ops` (billions of multiply-adds)
 * of each network's weights. Those of GoogLeNet leave out its auxiliary heads, those of Inception-v3 count their parameters only.
 */
const PUBLISHED: Readonly<Record<string, readonly [parameters: number, billions: number]>> = {
  alexnet: [61_100_840, 0.714],
  convnext_tiny: [28_589_128, 4.456],
  densenet121: [7_978_856, 2.834],
  densenet169: [14_149_480, 3.36],
  densenet201: [20_013_928, 4.291],
  efficientnet_b0: [5_288_548, 0.386],
  efficientnet_b1: [7_794_184, 0.687],
  efficientnet_b2: [9_109_994, 1.088],
  efficientnet_b3: [12_233_232, 1.827],
  googlenet: [6_624_904, 1.498],
  inception_v3: [27_161_264, 5.713],
  mnasnet0_5: [2_218_512, 0.104],
  mnasnet0_75: [3_170_208, 0.215],
  mnasnet1_0: [4_383_312, 0.314],
  mnasnet1_3: [6_282_256, 0.526],
  mobilenet_v2: [3_504_872, 0.301],
  mobilenet_v3_large: [5_483_032, 0.217],
  mobilenet_v3_small: [2_542_856, 0.057],
  regnet_y_400mf: [4_344_144, 0.402],
  resnet18: [11_689_512, 1.814],
  resnet34: [21_797_672, 3.664],
  resnet50: [25_557_032, 4.089],
  resnet101: [44_549_160, 7.801],
  resnet152: [60_192_808, 11.514],
  resnext50_32x4d: [25_028_904, 4.23],
  shufflenet_v2_x0_5: [1_366_792, 0.04],
  shufflenet_v2_x1_0: [2_278_604, 0.145],
  shufflenet_v2_x1_5: [3_503_624, 0.296],
  shufflenet_v2_x2_0: [7_393_996, 0.583],
  squeezenet1_0: [1_248_424, 0.819],
  squeezenet1_1: [1_235_496, 0.349],
  vgg11: [132_863_336, 7.609],
  vgg11_bn: [132_868_840, 7.609],
  vgg13: [133_047_848, 11.308],
  vgg13_bn: [133_053_736, 11.308],
  vgg16: [138_357_544, 15.47],
  vgg16_bn: [138_365_992, 15.47],
  vgg19: [143_667_240, 19.632],
  vgg19_bn: [143_678_248, 19.632],
  wide_resnet50_2: [68_883_240, 11.398],
};

/** Sum over the layers that the output depends on, or over all. */
function total(network: Network, key: 'parameters' | 'multiplyAdds', isWhole: boolean): number {
  const needed = ancestors(network.layers, network.layers.at(-1)?.name ?? '');
  return summarizeNetwork(network)
    .filter(({ layer }) => isWhole || needed.has(layer.name))
    .reduce((sum, layer) => sum + layer[key], 0);
}

describe('built-in architectures have the published sizes', () => {
  for (const [name, [parameters, billions]] of Object.entries(PUBLISHED)) {
    test(name, () => {
      const network = buildArchitecture(name);
      assert.equal(network.architecture, name);
      assert.equal(total(network, 'parameters', name !== 'googlenet'), parameters);
      const difference = total(network, 'multiplyAdds', false) / 1e9 - billions;
      assert.ok(Math.abs(difference) < 0.00101, `multiply-adds differ by ${difference} billion`);
      assert.deepEqual(summarizeNetwork(network).at(-1)?.outputShape, [1000]);
    });
  }
});

/**
 * What torchvision does not have, as rounded as its authors say it: Howard et al. 2017, tables 6 and 8, and the list of results in
 * megvii-model/ShuffleNet-Series.
 */
const ROUNDED: Readonly<Record<string, readonly [parameters: string, millions: number]>> = {
  mobilenet_v1: ['4.2', 569],
  mobilenet_v1_0_75: ['2.6', 325],
  mobilenet_v1_0_5: ['1.3', 149],
  mobilenet_v1_0_25: ['0.5', 41],
  shufflenet_v1_x0_5: ['0.7', 38],
  shufflenet_v1_x1_0: ['1.9', 138],
  shufflenet_v1_x1_5: ['3.4', 292],
  shufflenet_v1_x2_0: ['5.4', 524],
};

describe('built-in architectures that are not in torchvision have the published sizes', () => {
  for (const [name, [parameters, millions]] of Object.entries(ROUNDED)) {
    test(name, () => {
      const network = buildArchitecture(name);
      assert.equal(network.architecture, name);
      assert.equal((total(network, 'parameters', true) / 1e6).toFixed(1), parameters);
      const counted = total(network, 'multiplyAdds', true) / 1e6;
      assert.ok(Math.abs(counted - millions) < 1.5, `${counted} million multiply-adds`);
      assert.deepEqual(summarizeNetwork(network).at(-1)?.outputShape, [1000]);
    });
  }
});

/**
 * ResNets for CIFAR-10: parameters by He et al. 2016, table 6; multiply-adds, where they are published, by Li et al. 2017 (arXiv
 * 1608.08710), table 1.
 */
const CIFAR: Readonly<Record<string, readonly [parameters: number, millions: number | null]>> = {
  resnet20_cifar: [0.27e6, null],
  resnet32_cifar: [0.46e6, null],
  resnet44_cifar: [0.66e6, null],
  resnet56_cifar: [0.85e6, 125],
  resnet110_cifar: [1.7e6, 253],
};

describe('ResNets for CIFAR have the published sizes', () => {
  for (const [name, [parameters, millions]] of Object.entries(CIFAR)) {
    test(name, () => {
      const network = buildArchitecture(name);
      assert.equal(network.architecture, name);
      // Two digits are given.
      assert.equal(Number(total(network, 'parameters', true).toPrecision(2)), parameters);
      const counted = Math.round(total(network, 'multiplyAdds', true) / 1e6);
      if (millions !== null) assert.equal(counted, millions);
      assert.deepEqual(summarizeNetwork(network).at(-1)?.outputShape, [10]);
    });
  }
});

test('every architecture is compared with published sizes', () => {
  assert.deepEqual(Object.keys({ ...PUBLISHED, ...ROUNDED, ...CIFAR }).sort(), Object.keys(ARCHITECTURES).sort());
});

describe("built-in architectures have torchvision's names and shapes", () => {
  for (const [name, { tensors, parameters, sha256 }] of Object.entries(FACTS)) {
    if (!Object.hasOwn(ARCHITECTURES, name)) continue;
    test(name, () => {
      const network = buildArchitecture(name);
      assert.equal(weightSpecs(network).length, tensors);
      assert.equal(total(network, 'parameters', true), parameters);
      assert.equal(namesHash(network), sha256);
    });
  }
});

describe('built-in architectures take inputs down to their smallest and refuse smaller ones', () => {
  for (const [name, { smallestSide, title, build }] of Object.entries(ARCHITECTURES)) {
    test(name, () => {
      const small = buildArchitecture(name, { inputSize: [smallestSide, smallestSide + 9], classes: 1000 });
      assert.deepEqual(summarizeNetwork(small).at(-1)?.outputShape, [1000]);
      assert.deepEqual([small.preprocessing.height, small.preprocessing.width], [smallestSide, smallestSide + 9]);
      const message = new RegExp(`${title} .*pixels from ${smallestSide} to`);
      throwsModelError(() => buildArchitecture(name, { inputSize: smallestSide - 1 }), 'INVALID_ARGUMENT', message);
      // The bound is the network's own, not only one that we set.
      throwsModelError(
        () => inferShapes(build({ inputSize: smallestSide - 1 })),
        'INVALID_NETWORK',
        /too small|output would be/,
      );
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

describe('every architecture is recognised by its weights, survives its JSON and takes a new head', () => {
  for (const name of Object.keys(ARCHITECTURES)) {
    test(name, () => {
      const network = buildArchitecture(name, { classes: 9, inChannels: 2 });
      // Names and shapes decide; what is in the tensors does not matter.
      const weights = new Map(
        weightSpecs(network).map((spec) => [spec.name, { shape: spec.shape, data: new Float32Array(0) }]),
      );
      assert.deepEqual(matchArchitecture(weights), network);
      assert.deepEqual(networkFromJson(networkToJson(network)), network);
      const grafted = replaceHead({ network, weights }, { classes: ['ant', 'bee'], seed: 1 }).network;
      const shapes = inferShapes(grafted);
      const classifier = grafted.layers.at(-1);
      assert.deepEqual(shapes.get(classifier?.name ?? ''), [2]);
      // All layers that the scores came from are still there, but those that made them.
      const needed = ancestors(network.layers, network.layers.at(-1)?.name ?? '');
      const kept = grafted.layers.filter((layer) => needed.has(layer.name));
      assert.ok(kept.length >= needed.size - 4, `${needed.size - kept.length} layers are gone`);
    });
  }
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

test('weights are recognised with auxiliary heads and without, and with other numbers of channels', () => {
  for (const make of [googlenet, inceptionV3]) {
    const whole = initializeWeights(make({ classes: 3, inChannels: 1 }), 1);
    assert.deepEqual(matchArchitecture(whole), make({ classes: 3, inChannels: 1 }));
    const bare = initializeWeights(make({ classes: 3, auxiliaryHeads: false }), 1);
    assert.deepEqual(
      matchArchitecture(bare, { inputSize: 150 }),
      make({ classes: 3, auxiliaryHeads: false, inputSize: 150 }),
    );
  }
  // Too small for the kernels of the auxiliary head.
  const network = matchArchitecture(initializeWeights(inceptionV3(), 1), { inputSize: 100 });
  assert.deepEqual(network, inceptionV3({ inputSize: 100 }));
  assert.deepEqual(network?.auxiliary, []);
});

test('networks without auxiliary heads say so when asked for them', () => {
  throwsModelError(
    () => buildArchitecture('vgg16', { auxiliaryHeads: true }),
    'INVALID_ARGUMENT',
    /no auxiliary heads/,
  );
});
