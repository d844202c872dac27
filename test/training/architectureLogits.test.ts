import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { alexnet } from '../../src/models/architectures/alexnet.js';
import { densenet121, densenet169, densenet201 } from '../../src/models/architectures/densenet.js';
import { googlenet } from '../../src/models/architectures/googlenet.js';
import { inceptionV3 } from '../../src/models/architectures/inceptionV3.js';
import type { ArchitectureOptions } from '../../src/models/architectures/options.js';
import {
  resnet18,
  resnet34,
  resnet50,
  resnet101,
  resnet152,
  resnext50,
  wideResnet50,
} from '../../src/models/architectures/resnet.js';
import { squeezenet } from '../../src/models/architectures/squeezenet.js';
import { type VggDepth, type VggOptions, vgg } from '../../src/models/architectures/vgg.js';
import type { Network } from '../../src/models/network.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { FACTS, SMALL } from '../models/torchvision/facts.js';
import { checkLogits } from './architectureLogits.js';

const vggs = [11, 13, 16, 19].flatMap((depth) =>
  [false, true].map((batchNorm): [string, (options: Omit<VggOptions, 'depth'>) => Network] => [
    `vgg${depth}${batchNorm ? '_bn' : ''}`,
    (options) => vgg({ ...options, depth: depth as VggDepth, batchNorm }),
  ]),
);

const NETWORKS: readonly (readonly [string, (options: ArchitectureOptions) => Network])[] = [
  ['alexnet', alexnet],
  ['googlenet', googlenet],
  ['inception_v3', inceptionV3],
  ...vggs,
  ['resnet18', resnet18],
  ['resnet34', resnet34],
  ['resnet50', resnet50],
  ['resnet101', resnet101],
  ['resnet152', resnet152],
  ['resnext50_32x4d', resnext50],
  ['wide_resnet50_2', wideResnet50],
  ['squeezenet1_0', (options) => squeezenet({ ...options, version: '1.0' })],
  ['squeezenet1_1', (options) => squeezenet({ ...options, version: '1.1' })],
  ['densenet121', densenet121],
  ['densenet169', densenet169],
  ['densenet201', densenet201],
];

describe('with the same weights a network computes what torchvision and ONNX Runtime compute', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  for (const [name, make] of NETWORKS) {
    test(name, (t) => checkLogits(t, engine, name, make({ ...SMALL, inputSize: FACTS[name]?.side ?? 64 })));
  }
});
