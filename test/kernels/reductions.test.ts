import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type ReduceAttributes,
  reduceL2,
  reduceMax,
  reduceMean,
  reduceMin,
  reduceSum,
} from '../../src/kernels/ops/reduce/reduce.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type LayoutKind, type Shape, type Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { checkOp, type OpCase } from './checkOp.js';
import { openFamilies } from './engines.js';
import { indicesOf, offsetOf } from './logical.js';

const seed = freshSeed();
const random = seeded(seed);

const OPS = { sum: reduceSum, mean: reduceMean, max: reduceMax, min: reduceMin, l2: reduceL2 };
const DEFINITIONS: Record<keyof typeof OPS, (values: number[]) => number> = {
  sum: (values) => values.reduce((sum, value) => sum + value, 0),
  mean: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  max: (values) => values.reduce((largest, value) => Math.max(largest, value)),
  min: (values) => values.reduce((smallest, value) => Math.min(smallest, value)),
  l2: (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)),
};

function reduceCase(
  kind: keyof typeof OPS,
  x: Shape,
  layout: LayoutKind,
  attributes: ReduceAttributes,
  result: Shape,
  resultLayout: LayoutKind,
): OpCase {
  const gone = (attributes.axes ?? [...x.keys()]).map((axis) => (axis + x.length) % x.length);
  const kept = x.map((size, axis) => (gone.includes(axis) ? 1 : size));
  return {
    name: `${kind} of ${x.join('x')} ${layout} over ${attributes.axes?.join() ?? 'all'}${attributes.keepDims ? ', kept' : ''}`,
    inputs: { x: { shape: x, layout } },
    build: (b, t) => {
      const y = OPS[kind](b, t.x as Tensor, attributes);
      assert.deepEqual([y.shape, y.layout], [result, resultLayout]);
      return y;
    },
    reference: (values) => {
      const collected = Array.from({ length: elementCount(kept) }, (): number[] => []);
      indicesOf(x).forEach((index, i) => {
        const target = index.map((at, axis) => (gone.includes(axis) ? 0 : at));
        collected[offsetOf(target, kept)]?.push((values.x as Float64Array)[i] as number);
      });
      return Float64Array.from(collected, DEFINITIONS[kind]);
    },
  };
}

const CASES: OpCase[] = [
  reduceCase('sum', [2, 3, 5, 7], 'rows', { axes: [2, 3] }, [2, 3], 'rows'),
  reduceCase('mean', [2, 3, 5, 7], 'rows', { axes: [2, 3] }, [2, 3], 'rows'),
  reduceCase('mean', [2, 3, 5, 7], 'rows', { axes: [-1, -2], keepDims: true }, [2, 3, 1, 1], 'rows'),
  reduceCase('sum', [3, 5, 2, 7], 'rows', { axes: [1], keepDims: true }, [3, 1, 2, 7], 'rows'),
  reduceCase('sum', [3, 5, 2, 4], 'rows', { axes: [1], keepDims: true }, [3, 1, 2, 4], 'rows'),
  reduceCase('mean', [3, 5, 2, 7], 'rows', { axes: [0] }, [5, 2, 7], 'dense'),
  reduceCase('sum', [3, 5, 2, 7], 'rows', { axes: [0, 2] }, [5, 7], 'rows'),
  reduceCase('mean', [3, 5, 2, 7], 'rows', {}, [], 'dense'),
  reduceCase('sum', [3, 5, 2, 7], 'rows', { keepDims: true }, [1, 1, 1, 1], 'rows'),
  reduceCase('sum', [7, 5], 'rows', { axes: [1], keepDims: true }, [7, 1], 'rows'),
  reduceCase('sum', [7, 5], 'rows', { axes: [0] }, [5], 'dense'),
  reduceCase('sum', [4, 9], 'dense', { axes: [1] }, [4], 'dense'),
  reduceCase('mean', [4, 9], 'dense', { axes: [0] }, [9], 'dense'),
  reduceCase('sum', [2, 3, 2, 3, 2, 5], 'dense', { axes: [1, 3, 5] }, [2, 2, 2], 'dense'),
  reduceCase('mean', [2, 3, 4, 5], 'dense', { axes: [0, 2], keepDims: true }, [1, 3, 1, 5], 'dense'),
  reduceCase('sum', [11, 9], 'dense', { axes: [] }, [11, 9], 'dense'),
  reduceCase('sum', [70, 3, 33], 'dense', { axes: [2] }, [70, 3], 'dense'),
  reduceCase('l2', [9, 4, 67], 'dense', { axes: [2] }, [9, 4], 'dense'),
  reduceCase('l2', [2, 3, 5, 7], 'rows', { axes: [1], keepDims: true }, [2, 1, 5, 7], 'rows'),
  // Few results of many elements: in parts.
  reduceCase('sum', [41, 83], 'dense', {}, [], 'dense'),
  reduceCase('l2', [2, 3, 29, 31], 'rows', { axes: [0, 2, 3], keepDims: true }, [1, 3, 1, 1], 'rows'),
  reduceCase('max', [1, 2, 57, 61], 'rows', { axes: [2, 3] }, [1, 2], 'rows'),
  reduceCase('max', [2, 3, 5, 7], 'rows', { axes: [2, 3], keepDims: true }, [2, 3, 1, 1], 'rows'),
  reduceCase('max', [5, 6, 13], 'dense', { axes: [0, 2] }, [6], 'dense'),
  reduceCase('min', [3, 4, 2, 5], 'rows', { axes: [1] }, [3, 2, 5], 'dense'),
  reduceCase('min', [6, 31], 'dense', { axes: [-1] }, [6], 'dense'),
];

describe(`reductions, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
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

  test('equal largest elements share the gradient', async () => {
    for (const { engine } of opened.families) {
      const b = new PlanBuilder(engine);
      const x = b.input('x', [2, 4], { layout: 'dense', requiresGradient: true });
      const y = reduceMax(b, x, { axes: [1] });
      const gradients = b.backward(y, b.input('upstream', [2], { layout: 'dense' }));
      b.output('dx', gradients.get(x) as Tensor);
      const plan = await b.compile();
      const { dx } = await plan.run({
        x: new Float32Array([1, 5, 5, -2, 3, 3, 3, 3]),
        upstream: new Float32Array([6, 8]),
      })();
      plan.dispose();
      assert.deepEqual([...(dx as Float32Array)], [0, 3, 3, 0, 2, 2, 2, 2]);
    }
  });

  test('the L2 norm of zeros has the gradient 0', async () => {
    for (const { engine } of opened.families) {
      const b = new PlanBuilder(engine);
      const x = b.input('x', [1, 5], { layout: 'dense', requiresGradient: true });
      const y = reduceL2(b, x);
      b.output('dx', b.backward(y).get(x) as Tensor);
      const plan = await b.compile();
      const { dx } = await plan.run({ x: new Float32Array(5) })();
      plan.dispose();
      assert.deepEqual([...(dx as Float32Array)], [0, 0, 0, 0, 0]);
    }
  });
});
