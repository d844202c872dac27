import { softmax } from '../../src/kernels/ops/softmax/softmax.js';
import { randomValues } from '../random.js';
import { sample } from '../reference/samples.js';
import type { SoftmaxSpec } from '../specs.js';
import type { Workload } from '../workload.js';
import { preparePlan } from './plans.js';

export const softmaxLogits = ({ rows, classes }: SoftmaxSpec, name: string, seed: number) =>
  randomValues(rows * classes, seed, `${name} x`);

function softmaxWorkload(rows: number, classes: number): Workload<SoftmaxSpec> {
  const name = `softmax-${rows}x${classes}`;
  const spec = { kind: 'softmax', rows, classes } as const;
  return {
    name,
    spec,
    // Difference, exponential, sum and quotient, each counted once.
    flops: 4 * rows * classes,
    traffic: 2 * 4 * rows * classes,
    prepare: (engine, seed) =>
      preparePlan(engine, { x: softmaxLogits(spec, name, seed) }, (b) => ({
        y: softmax(b, b.input('x', [rows, classes])),
      })),
    reference(seed) {
      const x = softmaxLogits(spec, name, seed);
      const y = sample(rows * classes, seed, name, (index) => {
        const row = x.subarray(Math.floor(index / classes) * classes).subarray(0, classes);
        let sum = 0;
        for (const value of row) sum += Math.exp(value);
        return Math.exp(x[index] as number) / sum;
      });
      return { y };
    },
  };
}

export const softmaxWorkloads = [softmaxWorkload(1024, 1000)];
