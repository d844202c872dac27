import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { EngineError } from '../../src/kernels/errors.js';
import { dropout, dropout2d, dropPictures } from '../../src/kernels/ops/dropout/dropout.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { LayoutKind } from '../../src/kernels/tensor.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { freshSeed } from '../training/fixtures.js';

const seed = freshSeed();
const SHAPE = [3, 7, 11, 13] as const;
const COUNT = SHAPE.reduce((product, size) => product * size, 1);

interface Given {
  readonly op?: typeof dropout;
  readonly shape?: readonly number[];
  readonly layout?: LayoutKind;
}

describe(`dropout, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  async function run(
    rate: number,
    key: readonly number[],
    operation = 0,
    { op = dropout, shape = SHAPE, layout = 'rows' }: Given = {},
  ) {
    const b = new PlanBuilder(engine);
    const x = b.input('x', shape, { layout, requiresGradient: true });
    const step = b.input('step', [4], { dtype: 'u32', layout: 'dense' });
    const y = op(b, x, rate, step, operation);
    const upstream = b.input('upstream', shape, { layout });
    const dx = b.backward(y, upstream).get(x);
    assert.ok(dx);
    b.output('y', y);
    b.output('dx', dx);
    const plan = await b.compile({ poison: true });
    const count = shape.reduce((product, size) => product * size, 1);
    const values = { x: new Float32Array(count).fill(1), upstream: new Float32Array(count).fill(2) };
    const outputs = await plan.run({ ...values, step: Uint32Array.from(key) })();
    plan.dispose();
    return { y: outputs.y as Float32Array, dx: outputs.dx as Float32Array };
  }

  for (const rate of [0.1, 0.5, 0.8]) {
    test(`rate ${rate} drops that share and scales the rest, the same in the backward pass`, async () => {
      const { y, dx } = await run(rate, [seed, 3, 0, 0]);
      const kept = Math.fround(1 / (1 - rate));
      let dropped = 0;
      y.forEach((value, i) => {
        if (value === 0) dropped++;
        else assert.ok(Math.abs(value - kept) < 1e-6 * kept, `${value}`);
        assert.ok(Math.abs((dx[i] as number) - 2 * value) < 1e-5, 'the gradient has another mask');
      });
      // Five standard deviations of the binomial distribution.
      const slack = 5 * Math.sqrt(COUNT * rate * (1 - rate));
      assert.ok(Math.abs(dropped - COUNT * rate) < slack, `${dropped} of ${COUNT} dropped`);
    });
  }

  test('the mask depends on seed, step and operation, and on nothing else', async () => {
    const first = await run(0.5, [seed, 3, 0, 0]);
    assert.deepEqual(await run(0.5, [seed, 3, 0, 0]), first);
    for (const other of [
      await run(0.5, [seed + 1, 3, 0, 0]),
      await run(0.5, [seed, 4, 0, 0]),
      await run(0.5, [seed, 3, 0, 0], 1),
    ]) {
      const equal = other.y.filter((value, i) => value === first.y[i]).length;
      assert.ok(Math.abs(equal - COUNT / 2) < 5 * Math.sqrt(COUNT / 4), `${equal} of ${COUNT} equal`);
    }
  });

  test('a dense tensor loses the same elements as one in rows', async () => {
    const rows = await run(0.5, [seed, 3, 0, 0]);
    assert.deepEqual(await run(0.5, [seed, 3, 0, 0], 0, { layout: 'dense' }), rows);
    const five = await run(0.5, [seed, 3, 0, 0], 0, { layout: 'dense', shape: [3, 7, 11, 13, 1] });
    assert.deepEqual(five, rows);
  });

  test('pictures in the middle of a batch lose what they lose in the whole batch', async () => {
    for (const op of [dropout, dropout2d, dropPictures]) {
      const whole = await run(0.5, [seed, 3, 0, 0], 0, { op, shape: [30, 7, 3, 3] });
      const part = await run(0.5, [seed, 3, 10, 0], 0, { op, shape: [20, 7, 3, 3] });
      assert.deepEqual(part.y, whole.y.slice(10 * 7 * 9));
    }
  });

  for (const { op, what, shape, layout } of [
    { op: dropout2d, what: 'channels', shape: [50, 40, 2, 3], layout: 'rows' },
    { op: dropPictures, what: 'pictures', shape: [1500, 2, 2, 3], layout: 'rows' },
    { op: dropPictures, what: 'pictures of vectors', shape: [1500, 5], layout: 'rows' },
    { op: dropPictures, what: 'dense pictures', shape: [1500, 3, 4], layout: 'dense' },
  ] as const) {
    test(`${what} are dropped whole, in the backward pass too, in the share that the rate says`, async () => {
      const units = op === dropout2d ? shape[0] * shape[1] : shape[0];
      const { y, dx } = await run(0.3, [seed, 3, 0, 0], 0, { op, shape, layout });
      const size = y.length / units;
      let dropped = 0;
      for (let unit = 0; unit < units; unit++) {
        const all = y.slice(unit * size, (unit + 1) * size);
        assert.ok(
          all.every((value) => value === all[0]),
          `${unit}: ${all.join(', ')}`,
        );
        if (all[0] === 0) dropped++;
        else assert.ok(Math.abs((all[0] as number) - 1 / 0.7) < 1e-6);
      }
      y.forEach((value, i) => assert.ok(Math.abs((dx[i] as number) - 2 * value) < 1e-5));
      assert.ok(Math.abs(dropped - 0.3 * units) < 5 * Math.sqrt(units * 0.3 * 0.7), `${dropped} of ${units}`);
    });
  }

  test('rates that are none are refused', async () => {
    for (const rate of [1, -0.1, Number.NaN]) await assert.rejects(run(rate, [0, 0, 0, 0]), EngineError);
  });
});
