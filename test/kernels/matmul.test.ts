import { after, before, describe, test } from 'node:test';
import { matmul } from '../../src/kernels/ops/matmul/matmul.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { checkOp, type OpCase } from './checkOp.js';
import { openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);

function matmulCase(m: number, k: number, n: number, transposeA: boolean, transposeB: boolean): OpCase {
  const at = (values: Float64Array, columns: number, i: number, j: number, transposed: boolean) =>
    values[transposed ? j * columns + i : i * columns + j] as number;
  const a = transposeA ? [k, m] : [m, k];
  const c = transposeB ? [n, k] : [k, n];
  return {
    name: `[${m}, ${k}] x [${k}, ${n}]${transposeA ? ', a transposed' : ''}${transposeB ? ', b transposed' : ''}`,
    inputs: { a: { shape: a, layout: 'dense' }, c: { shape: c, layout: 'dense' } },
    build: (b, t) => matmul(b, t.a as Tensor, t.c as Tensor, { transposeA, transposeB }),
    reference: (values) =>
      Float64Array.from({ length: m * n }, (_, index) => {
        const [i, j] = [Math.floor(index / n), index % n];
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const left = at(values.a as Float64Array, a[1] as number, i, l, transposeA);
          sum += left * at(values.c as Float64Array, c[1] as number, l, j, transposeB);
        }
        return sum;
      }),
  };
}

const FLAGS = [false, true];
const CASES = [
  ...FLAGS.flatMap((ta) => FLAGS.map((tb) => matmulCase(7, 13, 10, ta, tb))),
  ...FLAGS.flatMap((ta) => FLAGS.map((tb) => matmulCase(16, 8, 12, ta, tb))),
  // A long sum is cut into parts, here not of equal length.
  matmulCase(3, 1037, 5, false, false),
  matmulCase(70, 65, 69, false, true),
  matmulCase(1, 1, 1, false, false),
  matmulCase(130, 17, 1, false, false),
];

describe(`matrix products, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());
  for (const op of CASES) {
    test(op.name, async (t) => {
      if (opened.skipped) t.diagnostic(opened.skipped);
      for (const { family, engine } of opened.families) {
        await checkOp(engine, { ...op, name: `${family}: ${op.name}` }, random);
      }
    });
  }
});
