import { matmul } from '../../src/kernels/ops/matmul/matmul.js';
import { randomValues } from '../random.js';
import { sample } from '../reference/samples.js';
import type { MatmulSpec } from '../specs.js';
import type { Workload } from '../workload.js';
import { preparePlan } from './plans.js';

export const matmulOperands = ({ size }: MatmulSpec, name: string, seed: number) => ({
  a: randomValues(size * size, seed, `${name} a`),
  b: randomValues(size * size, seed, `${name} b`),
});

function matmulWorkload(size: number): Workload<MatmulSpec> {
  const name = `matmul-${size}`;
  const spec = { kind: 'matmul', size } as const;
  return {
    name,
    spec,
    flops: 2 * size ** 3,
    traffic: 3 * 4 * size ** 2,
    prepare: (engine, seed) =>
      preparePlan(engine, matmulOperands(spec, name, seed), (b) => {
        const matrix = (input: string) => b.input(input, [size, size], { layout: 'dense' });
        return { y: matmul(b, matrix('a'), matrix('b')) };
      }),
    reference(seed) {
      const { a, b } = matmulOperands(spec, name, seed);
      const y = sample(size * size, seed, name, (index) => {
        const [row, column] = [Math.floor(index / size), index % size];
        let sum = 0;
        for (let k = 0; k < size; k++) sum += (a[row * size + k] as number) * (b[k * size + column] as number);
        return sum;
      });
      return { y };
    },
  };
}

export const matmulWorkloads = [512, 1024].map(matmulWorkload);
