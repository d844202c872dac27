import { batchNorm } from '../../src/kernels/ops/batchNorm/batchNorm.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { randomValues } from '../random.js';
import { BATCH_NORM_EPSILON, referenceBatchNorm } from '../reference/batchNorm.js';
import { sample } from '../reference/samples.js';
import type { BatchNormSpec } from '../specs.js';
import type { Workload } from '../workload.js';
import { type PartialPlanBuilder, preparePlan } from './plans.js';

export function batchNormOperands(spec: BatchNormSpec, name: string, seed: number) {
  const { batch, channels, side } = spec;
  const size = batch * channels * side ** 2;
  return {
    x: randomValues(size, seed, `${name} x`),
    weight: randomValues(channels, seed, `${name} weight`),
    bias: randomValues(channels, seed, `${name} bias`),
    ...(spec.pass === 'step' ? { dy: randomValues(size, seed, `${name} dy`) } : {}),
  };
}

function batchNormWorkload(pass: 'forward' | 'step', channels: number, side: number): Workload<BatchNormSpec> {
  const name = `batchnorm-${channels}@${side}-${pass}`;
  const spec = { kind: 'batchNorm', pass, batch: 8, channels, side } as const;
  const size = spec.batch * channels * side ** 2;
  return {
    name,
    spec,
    // Mean, variance, normalisation; backward: two sums and the combination.
    flops: (pass === 'forward' ? 6 : 13) * size,
    // The statistics need all of x before the first value can be written: x is read twice.
    traffic: 4 * size * (pass === 'forward' ? 3 : 8),
    async prepare(engine, seed) {
      const running = ['mean', 'variance'].map((label) => engine.createTensor(label, [channels]));
      const [runningMean, runningVariance] = running;
      if (!runningMean || !runningVariance) throw new Error('unreachable');
      const build = (b: PartialPlanBuilder): Record<string, Tensor> => {
        const shape = [spec.batch, channels, side, side];
        const requiresGradient = pass === 'step';
        const x = b.input('x', shape, { requiresGradient });
        const parameter = (label: string) => b.input(label, [channels], { layout: 'dense', requiresGradient });
        const [weight, bias] = [parameter('weight'), parameter('bias')];
        const statistics = {
          runningMean: b.persistent(runningMean),
          runningVariance: b.persistent(runningVariance),
          epsilon: BATCH_NORM_EPSILON,
          momentum: 0.1,
        };
        const y = batchNorm(b, x, { weight, bias, ...statistics }, 'batch');
        if (pass === 'forward') return { y };
        const gradients = b.backward(y, b.input('dy', shape));
        const [dx, dWeight, dBias] = [x, weight, bias].map((tensor) => gradients.get(tensor));
        if (!dx || !dWeight || !dBias) throw new Error(`${name}: a gradient is missing.`);
        return { y, dx, dWeight, dBias };
      };
      const prepared = await preparePlan(engine, batchNormOperands(spec, name, seed), build);
      const dispose = () => {
        prepared.dispose();
        for (const tensor of running) engine.destroyTensor(tensor);
      };
      return { ...prepared, dispose };
    },
    reference(seed) {
      const results = referenceBatchNorm(spec, batchNormOperands(spec, name, seed));
      return Object.fromEntries(
        Object.entries(results).map(([key, values]) => [
          key,
          sample(values.length, seed, `${name} ${key}`, (index) => values[index] as number),
        ]),
      );
    },
  };
}

export const batchNormWorkloads = [
  batchNormWorkload('forward', 64, 56),
  batchNormWorkload('step', 64, 56),
  batchNormWorkload('forward', 960, 7),
  batchNormWorkload('step', 960, 7),
];
