import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { FACTS, SMALL } from '../models/torchvision/facts.js';
import { checkLogits } from './architectureLogits.js';

const NETWORKS = [
  'convnext_tiny',
  'efficientnet_b0',
  'efficientnet_b1',
  'efficientnet_b2',
  'efficientnet_b3',
  'mnasnet0_5',
  'mnasnet0_75',
  'mnasnet1_0',
  'mnasnet1_3',
  'mobilenet_v1',
  'mobilenet_v2',
  'mobilenet_v3_large',
  'mobilenet_v3_small',
  'regnet_y_400mf',
  'shufflenet_v1_x0_5',
  'shufflenet_v1_x1_0',
  'shufflenet_v1_x1_5',
  'shufflenet_v1_x2_0',
  'shufflenet_v2_x0_5',
  'shufflenet_v2_x1_0',
  'shufflenet_v2_x1_5',
  'shufflenet_v2_x2_0',
];

describe('with the same weights a small network computes what its publishers and ONNX Runtime compute', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  for (const name of NETWORKS) {
    test(name, (t) => {
      const inputSize = FACTS[name]?.side ?? 64;
      return checkLogits(t, engine, name, buildArchitecture(name, { classes: SMALL.classes, inputSize }));
    });
  }
});
