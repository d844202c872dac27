import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { logSoftmax, softmax } from '../../src/kernels/ops/softmax/softmax.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type LayoutKind, type Shape, type Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { assertClose, checkOp, type OpCase } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);

/** Over axis `axis` in logical order, in float64. */
function reference(x: Float64Array, shape: Shape, axis: number, log: boolean): Float64Array {
  const at = axis < 0 ? axis + shape.length : axis;
  const size = shape[at] as number;
  const inner = elementCount(shape.slice(at + 1));
  const y = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    if (Math.floor(i / inner) % size !== 0) continue;
    const line = Array.from({ length: size }, (_, k) => x[i + k * inner] as number);
    const largest = Math.max(...line);
    const logSum = Math.log(line.reduce((sum, value) => sum + Math.exp(value - largest), 0));
    line.forEach((value, k) => {
      const logarithm = value - largest - logSum;
      y[i + k * inner] = log ? logarithm : Math.exp(logarithm);
    });
  }
  return y;
}

function softmaxCase(shape: Shape, layout: LayoutKind, axis: number, log: boolean, scale = 4): OpCase {
  return {
    name: `${log ? 'log-softmax' : 'softmax'} of ${layout} ${shape.join('x')} over axis ${axis}, inputs to ${scale}`,
    inputs: { x: { shape, layout, make: () => (2 * random() - 1) * scale } },
    build: (b, t) => (log ? logSoftmax : softmax)(b, t.x as Tensor, axis),
    reference: ({ x = new Float64Array() }) => reference(x, shape, axis, log),
  };
}

const CASES: OpCase[] = [false, true].flatMap((log) => [
  softmaxCase([3, 7, 5, 3], 'rows', 1, log),
  softmaxCase([5, 130], 'rows', 1, log),
  softmaxCase([1, 3], 'rows', 1, log),
  softmaxCase([4, 5], 'dense', 1, log),
  softmaxCase([2, 3, 8, 70], 'dense', -1, log),
  softmaxCase([9, 3, 5], 'dense', 0, log),
  softmaxCase([3, 6, 4, 2], 'dense', 1, log),
  softmaxCase([3, 6, 4], 'dense', -2, log),
  softmaxCase([11], 'dense', 0, log),
  // Exponentials overflow float32 unless the largest is taken off first.
  softmaxCase([3, 6], 'dense', 1, log, 1000),
]);

describe(`softmax, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  let families: FamilyEngine[];
  before(async () => {
    opened = await openFamilies();
    families = opened.families;
  });
  after(() => opened.close());

  for (const op of CASES) {
    test(op.name, async () => {
      for (const { engine } of families) await checkOp(engine, op, random);
    });
  }

  test('more rows than a grid has workgroups in x', async () => {
    // A workgroup of a software adapter takes 8 rows.
    const rows = 65536 * 8 + 3;
    const x = Float32Array.from({ length: 2 * rows }, () => random() * 4);
    const expected = reference(Float64Array.from(x), [rows, 2], 1, false);
    for (const { engine } of families) {
      const b = new PlanBuilder(engine);
      b.output('y', softmax(b, b.input('x', [rows, 2], { layout: 'dense' })));
      const plan = await b.compile({ poison: true });
      assertClose((await plan.run({ x })()).y as Float32Array, expected, 'y', 1e-6);
      plan.dispose();
    }
  });

  test('a plan in float16 gives the values of float32', async (t) => {
    const { engine } = families[0] as FamilyEngine;
    if (!engine.device.features.has('shader-f16')) return t.skip('the adapter has no shader-f16');
    const shape = [3, 7, 5, 3];
    const x = Float32Array.from({ length: elementCount(shape) }, () => 8 * random() - 4);
    for (const [log, op] of [
      [false, softmax],
      [true, logSoftmax],
    ] as const) {
      const b = new PlanBuilder(engine, { activationType: 'f16' });
      b.output('y', op(b, b.input('x', shape)));
      const plan = await b.compile({ poison: true });
      const { y } = await plan.run({ x })();
      plan.dispose();
      assertClose(y as Float32Array, reference(Float64Array.from(x), shape, 1, log), 'y', 4e-3);
    }
  });

  test('axes that are none are refused', () => {
    const b = new PlanBuilder((families[0] as FamilyEngine).engine);
    const maps = b.input('maps', [2, 6, 3, 3]);
    const tokens = b.input('tokens', [2, 6, 3], { layout: 'dense' });
    for (const build of [
      () => softmax(b, maps, 2),
      () => softmax(b, tokens, 3),
      () => logSoftmax(b, tokens, -4),
      () => logSoftmax(b, tokens, 0.5),
    ]) {
      assert.throws(build, EngineError);
    }
  });
});
