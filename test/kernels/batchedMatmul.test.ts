import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { matmul } from '../../src/kernels/ops/matmul/matmul.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Shape, Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { checkOp, type OpCase } from './checkOp.js';
import { openFamilies } from './engines.js';
import { indicesOf, offsetOf } from './logical.js';

const seed = freshSeed();
const random = seeded(seed);

/** [..., M, K] x [..., K, N]; the given shapes are those before a transposition. */
function batchedCase(
  batchA: Shape,
  batchC: Shape,
  batch: Shape,
  [m, k, n]: readonly [number, number, number],
  transposeA: boolean,
  transposeB: boolean,
): OpCase {
  const a = [...batchA, ...(transposeA ? [k, m] : [m, k])];
  const c = [...batchC, ...(transposeB ? [n, k] : [k, n])];
  const result = [...batch, m, n];
  const place = (shape: Shape, own: Shape, index: readonly number[], pair: readonly number[], transposed: boolean) => {
    const lead = own.map((size, i) => (size === 1 ? 0 : (index[i + batch.length - own.length] as number)));
    return offsetOf([...lead, ...(transposed ? [...pair].reverse() : pair)], shape);
  };
  return {
    name: `[${a.join(', ')}]${transposeA ? ' transposed' : ''} x [${c.join(', ')}]${transposeB ? ' transposed' : ''}`,
    inputs: { a: { shape: a, layout: 'dense' }, c: { shape: c, layout: 'dense' } },
    build: (b, t) => {
      const y = matmul(b, t.a as Tensor, t.c as Tensor, { transposeA, transposeB });
      assert.deepEqual([y.shape, y.layout], [result, 'dense']);
      return y;
    },
    reference: (values) =>
      Float64Array.from(indicesOf(result), (index) => {
        const [i, j] = index.slice(-2) as [number, number];
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const left = (values.a as Float64Array)[place(a, batchA, index, [i, l], transposeA)] as number;
          sum += left * ((values.c as Float64Array)[place(c, batchC, index, [l, j], transposeB)] as number);
        }
        return sum;
      }),
  };
}

const FLAGS = [false, true];
const CASES: OpCase[] = [
  ...FLAGS.flatMap((ta) =>
    FLAGS.flatMap((tb) => [
      batchedCase([3], [3], [3], [5, 7, 6], ta, tb),
      batchedCase([2, 3], [], [2, 3], [4, 5, 8], ta, tb),
      batchedCase([], [3], [3], [5, 4, 7], ta, tb),
      batchedCase([2, 1], [3], [2, 3], [3, 6, 4], ta, tb),
    ]),
  ),
  batchedCase([1], [1], [1], [5, 3, 2], false, false),
  batchedCase([], [1, 1], [1, 1], [5, 3, 2], false, false),
  batchedCase([3, 1, 2], [1, 2, 1], [3, 2, 2], [2, 3, 5], false, false),
  // Long sums in parts, and more rows than a tile.
  batchedCase([2], [2], [2], [3, 1037, 5], false, false),
  batchedCase([3], [], [3], [70, 9, 65], false, true),
  batchedCase([17], [17], [17], [1, 33, 1], false, true),
];

describe(`batched matrix products, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());
  for (const op of CASES) {
    test(op.name, async (t) => {
      if (opened.skipped) t.diagnostic(opened.skipped);
      for (const { family, engine } of opened.families) {
        const isChecked = await checkOp(engine, { ...op, name: `${family}: ${op.name}` }, random);
        if (!isChecked) t.diagnostic('this adapter lacks shader-f16: float16 plans are not checked');
      }
    });
  }

  test('what does not fit is refused', () => {
    const { engine } = opened.families[0] as (typeof opened.families)[0];
    const b = new PlanBuilder(engine);
    const make = (name: string, shape: Shape) => b.input(name, shape, { layout: 'dense' });
    const a = make('a', [2, 3, 4]);
    const refused = (build: () => unknown) =>
      assert.throws(build, (error) => error instanceof EngineError && error.code === 'INVALID_SHAPE');
    refused(() => matmul(b, a, make('inner', [2, 3, 4])));
    refused(() => matmul(b, a, make('batch', [3, 4, 5])));
    refused(() => matmul(b, a, make('vector', [4])));
    refused(() => matmul(b, b.input('rows', [3, 4]), make('c', [4, 3])));
  });
});
