import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { gather } from '../../src/kernels/ops/gather/gather.js';
import { type AxisPadding, type PadAttributes, pad } from '../../src/kernels/ops/pad/pad.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { LayoutKind, Shape, Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { checkOp, type OpCase } from './checkOp.js';
import { openFamilies } from './engines.js';
import { indicesOf, offsetOf } from './logical.js';

const seed = freshSeed();
const random = seeded(seed);

/** NumPy's definitions: `constant`, `edge`, and `reflect`, whose period is 2 (n - 1). */
function paddedFrom(at: number, size: number, border: PadAttributes['border']): number | null {
  if (border === 'edge') return Math.min(Math.max(at, 0), size - 1);
  if (at >= 0 && at < size) return at;
  if (border === 'constant') return null;
  if (border === 'wrap') return ((at % size) + size) % size;
  const period = 2 * (size - 1);
  const phase = ((at % period) + period) % period;
  return phase < size ? phase : period - phase;
}

function padCase(x: Shape, layout: LayoutKind, paddings: AxisPadding[], attributes: PadAttributes): OpCase {
  const all = x.map((_, axis) => paddings.find((padding) => (padding.axis + x.length) % x.length === axis));
  const result = x.map((size, axis) => size + (all[axis]?.before ?? 0) + (all[axis]?.after ?? 0));
  const amounts = paddings.map(({ axis, before, after }) => `${axis}: ${before}, ${after}`).join('; ');
  return {
    name: `pad ${attributes.border} of ${x.join('x')} ${layout} by ${amounts}`,
    inputs: { x: { shape: x, layout } },
    build: (b, t) => {
      const y = pad(b, t.x as Tensor, paddings, attributes);
      assert.deepEqual([y.shape, y.layout], [result, layout]);
      return y;
    },
    reference: (values) =>
      Float64Array.from(indicesOf(result), (index) => {
        const from = index.map((at, axis) =>
          paddedFrom(at - (all[axis]?.before ?? 0), x[axis] as number, attributes.border),
        );
        if (from.includes(null)) return attributes.value ?? 0;
        return (values.x as Float64Array)[offsetOf(from as number[], x)] as number;
      }),
  };
}

const spatial = (top: number, bottom: number, left: number, right: number): AxisPadding[] => [
  { axis: 2, before: top, after: bottom },
  { axis: 3, before: left, after: right },
];

const CASES: OpCase[] = [
  padCase([2, 3, 5, 7], 'rows', spatial(1, 2, 3, 0), { border: 'constant' }),
  padCase([2, 3, 5, 7], 'rows', spatial(1, 2, 3, 0), { border: 'constant', value: -1.5 }),
  padCase([2, 3, 5, 7], 'rows', spatial(-1, 2, 3, -2), { border: 'constant', value: 0.25 }),
  padCase([2, 3, 4, 7], 'rows', [{ axis: 1, before: 2, after: 1 }], { border: 'constant' }),
  padCase([2, 3, 4, 7], 'rows', [{ axis: 0, before: 0, after: 2 }], { border: 'constant', value: 1 }),
  padCase([6], 'dense', [{ axis: -1, before: 4, after: 3 }], { border: 'constant', value: 2 }),
  padCase(
    [2, 3, 2, 3, 2],
    'dense',
    [
      { axis: 1, before: 1, after: 1 },
      { axis: 4, before: 0, after: 2 },
    ],
    {
      border: 'constant',
    },
  ),
  padCase([2, 3, 5, 4], 'rows', spatial(4, 3, 2, 3), { border: 'reflect' }),
  padCase([1, 2, 5, 4], 'rows', [...spatial(0, 1, 1, 0), { axis: 1, before: 1, after: 1 }], { border: 'reflect' }),
  padCase(
    [4, 5, 3],
    'dense',
    [
      { axis: 0, before: 3, after: 1 },
      { axis: 1, before: 2, after: 4 },
    ],
    {
      border: 'reflect',
    },
  ),
  padCase([2, 3, 5, 4], 'rows', spatial(7, 1, 0, 9), { border: 'edge' }),
  padCase([2, 3, 5, 4], 'rows', spatial(7, 1, 0, 9), { border: 'wrap' }),
  padCase([3, 2, 5], 'dense', [{ axis: 0, before: 1, after: 4 }], { border: 'wrap' }),
  padCase([1, 3, 1, 4], 'rows', spatial(2, 3, 1, 1), { border: 'edge' }),
  padCase(
    [2, 3, 4],
    'dense',
    [
      { axis: 0, before: 1, after: 2 },
      { axis: 2, before: 6, after: 0 },
    ],
    { border: 'edge' },
  ),
];

interface Gather {
  readonly data: Shape;
  readonly layout: LayoutKind;
  readonly axis: number;
  readonly indices: readonly number[];
  readonly indexShape: Shape;
}

/** Value, and gradient by its definition: the sum of what was gathered from an element. */
async function checkGather(
  { engine, family }: { engine: PlanBuilder['engine']; family: string },
  { data, layout, axis, indices, indexShape }: Gather,
): Promise<void> {
  const along = (axis + data.length) % data.length;
  const result = [...data.slice(0, along), ...indexShape, ...data.slice(along + 1)];
  const b = new PlanBuilder(engine);
  const x = b.input('x', data, { layout, requiresGradient: true });
  const chosen = b.input('indices', indexShape, { layout: 'dense', dtype: 'u32' });
  const y = gather(b, x, chosen, axis);
  assert.deepEqual([y.shape, y.layout], [result, layout]);
  const gradients = b.backward(y, b.input('upstream', y.shape, { layout }));
  b.output('y', y);
  b.output('dx', gradients.get(x) as Tensor);
  const plan = await b.compile({ poison: true });
  // Small integers: float32 adds them without rounding in any order.
  const whole = (count: number) => Float32Array.from({ length: count }, () => Math.floor(64 * random()) - 32);
  const values = whole(indicesOf(data).length);
  const upstream = whole(indicesOf(result).length);
  const read = await plan.run({ x: values, indices: Uint32Array.from(indices), upstream })();
  plan.dispose();
  const expected = new Float32Array(upstream.length);
  const gradient = new Float32Array(values.length);
  indicesOf(result).forEach((index, i) => {
    const k = offsetOf(index.slice(along, along + indexShape.length), indexShape);
    const from = [...index.slice(0, along), indices[k] as number, ...index.slice(along + indexShape.length)];
    const at = offsetOf(from, data);
    expected[i] = values[at] as number;
    gradient[at] = (gradient[at] as number) + (upstream[i] as number);
  });
  assert.deepEqual(read.y, expected, `${family}: y`);
  assert.deepEqual(read.dx, gradient, `${family}: dx`);
}

const GATHERS: Gather[] = [
  { data: [5, 3], layout: 'dense', axis: 0, indices: [4, 0, 0, 2, 4, 4, 1], indexShape: [7] },
  { data: [2, 5, 3], layout: 'dense', axis: 1, indices: [3, 3, 1, 0, 4, 3], indexShape: [2, 3] },
  { data: [2, 3, 4], layout: 'dense', axis: -1, indices: [2], indexShape: [] },
  { data: [2, 5, 3, 3], layout: 'rows', axis: 1, indices: [4, 1, 1], indexShape: [3] },
  { data: [3, 5, 3, 3], layout: 'rows', axis: 0, indices: [2, 2, 0, 1, 2], indexShape: [5] },
  { data: [2, 3, 5, 3], layout: 'rows', axis: 2, indices: [0, 4, 4, 3], indexShape: [4] },
  { data: [2, 3, 2, 7], layout: 'rows', axis: 3, indices: [6, 0, 6], indexShape: [3] },
  { data: [6, 5], layout: 'rows', axis: 0, indices: [5, 5, 3], indexShape: [3] },
];

describe(`padding and gathering, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
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
  for (const each of GATHERS) {
    test(`gather [${each.indices.join()}] of ${each.data.join('x')} ${each.layout} along ${each.axis}`, async () => {
      for (const family of opened.families) await checkGather(family, each);
    });
  }

  test('an index past the end gives NaN and no gradient', async () => {
    const { engine } = opened.families[0] as (typeof opened.families)[0];
    const b = new PlanBuilder(engine);
    const x = b.input('x', [3], { layout: 'dense', requiresGradient: true });
    const y = gather(b, x, b.input('indices', [3], { layout: 'dense', dtype: 'u32' }));
    b.output('y', y);
    b.output('dx', b.backward(y).get(x) as Tensor);
    const plan = await b.compile();
    const read = await plan.run({ x: new Float32Array([1, 2, 3]), indices: Uint32Array.of(2, 3, 0) })();
    plan.dispose();
    assert.deepEqual([...(read.y as Float32Array)], [3, Number.NaN, 1]);
    assert.deepEqual([...(read.dx as Float32Array)], [1, 0, 1]);
  });

  test('what does not fit is refused', () => {
    const { engine } = opened.families[0] as (typeof opened.families)[0];
    const b = new PlanBuilder(engine);
    const x = b.input('x', [2, 6, 3, 5]);
    const indices = b.input('indices', [2, 2], { layout: 'dense', dtype: 'u32' });
    const refused = (code: string, build: () => unknown) =>
      assert.throws(build, (error) => error instanceof EngineError && error.code === code);
    refused('INVALID_SHAPE', () => pad(b, x, spatial(3, 0, 0, 0), { border: 'reflect' }));
    refused('INVALID_SHAPE', () => pad(b, x, spatial(-1, 0, 0, 0), { border: 'edge' }));
    refused('INVALID_SHAPE', () => pad(b, x, spatial(-2, -1, 0, 0), { border: 'constant' }));
    refused('INVALID_ARGUMENT', () => pad(b, x, [{ axis: 4, before: 1, after: 1 }], { border: 'constant' }));
    refused('INVALID_ARGUMENT', () => gather(b, x, indices, 1));
    refused('INVALID_ARGUMENT', () => gather(b, x, x, 1));
  });
});
