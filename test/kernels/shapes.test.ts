import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { channelShuffle } from '../../src/kernels/ops/channelShuffle/channelShuffle.js';
import { interleave } from '../../src/kernels/ops/channelShuffle/interleave.js';
import { concat } from '../../src/kernels/ops/concat/concat.js';
import { expand } from '../../src/kernels/ops/expand/expand.js';
import { flatten } from '../../src/kernels/ops/flatten/flatten.js';
import { reshape, squeeze, toDense, toRows, unsqueeze } from '../../src/kernels/ops/reshape/reshape.js';
import { type SliceRange, slice, split } from '../../src/kernels/ops/slice/slice.js';
import { transpose } from '../../src/kernels/ops/transpose/transpose.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type LayoutKind, type Shape, type Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { checkOp, type OpCase } from './checkOp.js';
import { openFamilies } from './engines.js';
import { indicesOf, offsetOf } from './logical.js';

const seed = freshSeed();
const random = seeded(seed);

/** An op that only moves elements: `from` says which element of `x` the result's element at an index is. */
function movement(
  name: string,
  x: Shape,
  layout: LayoutKind,
  build: (b: PlanBuilder, x: Tensor) => Tensor,
  result: Shape,
  from: (index: number[]) => number[],
): OpCase {
  return {
    name: `${name} of ${x.join('x')} ${layout}`,
    inputs: { x: { shape: x, layout } },
    build: (b, t) => {
      const y = build(b, t.x as Tensor);
      assert.deepEqual(y.shape, result);
      return y;
    },
    reference: (values) =>
      Float64Array.from(indicesOf(result), (index) => (values.x as Float64Array)[offsetOf(from(index), x)] as number),
  };
}

const transposeCase = (x: Shape, layout: LayoutKind, permutation: number[]) =>
  movement(
    `transpose [${permutation.join()}]`,
    x,
    layout,
    (b, t) => transpose(b, t, permutation),
    permutation.map((axis) => x[axis] as number),
    (index) => x.map((_, axis) => index[permutation.indexOf(axis)] as number),
  );

/** `first` and `step` of each sliced axis are said again by hand, so that the op's own reading of `ranges` is tested. */
const sliceCase = (
  x: Shape,
  layout: LayoutKind,
  ranges: SliceRange[],
  result: Shape,
  meaning: Record<number, readonly [first: number, step: number]>,
) =>
  movement(
    `slice ${JSON.stringify(ranges)}`,
    x,
    layout,
    (b, t) => slice(b, t, ranges),
    result,
    (index) =>
      index.map((at, axis) => {
        const [first, step] = meaning[axis] ?? [0, 1];
        return first + at * step;
      }),
  );

/** Parts of a split, each multiplied by another number through its place in a concatenation in reversed order. */
function splitCase(x: Shape, layout: LayoutKind, axis: number, sizes: number[]): OpCase {
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  const order = [...sizes.keys()].reverse();
  return movement(
    `split along ${axis} into ${sizes.join()} and concatenation in reverse`,
    x,
    layout,
    (b, t) => concat(b, split(b, t, axis, sizes).reverse(), axis),
    x,
    (index) => {
      let at = index[axis] as number;
      const part = order.find((candidate) => {
        if (at < (sizes[candidate] as number)) return true;
        at -= sizes[candidate] as number;
        return false;
      }) as number;
      return index.map((value, i) => (i === axis ? (starts[part] as number) + at : value));
    },
  );
}

const expandCase = (x: Shape, layout: LayoutKind, shape: Shape, result: Shape) =>
  movement(
    `expand to ${shape.join()}`,
    x,
    layout,
    (b, t) => expand(b, t, shape),
    result,
    (index) => x.map((size, axis) => (size === 1 ? 0 : (index[axis + result.length - x.length] as number))),
  );

function shuffleCase(x: Shape, layout: LayoutKind, groups: number): OpCase {
  const perGroup = (x[1] as number) / groups;
  return movement(
    `channel shuffle by ${groups}`,
    x,
    layout,
    (b, t) => channelShuffle(b, t, groups),
    x,
    (index) => index.map((at, axis) => (axis === 1 ? (at % groups) * perGroup + Math.floor(at / groups) : at)),
  );
}

/** Channel j * 2 + p of the result is channel first[p] + j of part p. */
function interleaving(
  name: string,
  shapes: readonly [Shape, Shape],
  layout: LayoutKind,
  first: readonly [number, number],
  count: number,
): OpCase {
  const shape = shapes[0].map((size, axis) => (axis === 1 ? 2 * count : size));
  return {
    name: `interleave ${name}, ${layout}`,
    inputs: { x: { shape: shapes[0], layout }, z: { shape: shapes[1], layout } },
    build: (b, t) =>
      interleave(b, [
        { tensor: t.x as Tensor, first: first[0], count },
        { tensor: t.z as Tensor, first: first[1], count },
      ]),
    reference: (values) =>
      Float64Array.from(indicesOf(shape), (index) => {
        const channel = index[1] as number;
        const part = channel % 2;
        const from = index.map((at, axis) => (axis === 1 ? (first[part] as number) + Math.floor(channel / 2) : at));
        return (part === 0 ? values.x : values.z)?.[offsetOf(from, shapes[part] as Shape)] as number;
      }),
  };
}

/** The logical order stays: element i of the result is element i. */
function sameOrder(
  name: string,
  x: Shape,
  layout: LayoutKind,
  result: Shape,
  resultLayout: LayoutKind,
  build: (b: PlanBuilder, x: Tensor) => Tensor,
): OpCase {
  return {
    name: `${name} of ${x.join('x')} ${layout}`,
    inputs: { x: { shape: x, layout } },
    build: (b, t) => {
      const y = build(b, t.x as Tensor);
      assert.deepEqual([y.shape, y.layout], [result, resultLayout]);
      return y;
    },
    reference: (values) => values.x as Float64Array,
  };
}

const reshapeCase = (x: Shape, layout: LayoutKind, shape: Shape, resultLayout: LayoutKind) =>
  sameOrder(`reshape to ${shape.join()} ${resultLayout}`, x, layout, shape, resultLayout, (b, t) =>
    reshape(b, t, shape),
  );

function concatCase(shapes: readonly Shape[], layout: LayoutKind, axis: number): OpCase {
  const along = axis < 0 ? axis + (shapes[0] as Shape).length : axis;
  const total = shapes.reduce((sum, shape) => sum + (shape[along] as number), 0);
  const result = (shapes[0] as Shape).map((size, i) => (i === along ? total : size));
  return {
    name: `concat along ${axis} of ${shapes.map((shape) => shape.join('x')).join(', ')} ${layout}`,
    inputs: Object.fromEntries(shapes.map((shape, i) => [`x${i}`, { shape, layout }])),
    build: (b, t) =>
      concat(
        b,
        shapes.map((_, i) => t[`x${i}`] as Tensor),
        axis,
      ),
    reference: (values) =>
      Float64Array.from(indicesOf(result), (index) => {
        let at = index[along] as number;
        let part = 0;
        while (at >= (shapes[part]?.[along] as number)) at -= shapes[part++]?.[along] as number;
        const inside = index.map((value, i) => (i === along ? at : value));
        return values[`x${part}`]?.[offsetOf(inside, shapes[part] as Shape)] as number;
      }),
  };
}

const CASES: OpCase[] = [
  transposeCase([5, 7], 'dense', [1, 0]),
  transposeCase([2, 3, 4, 5], 'dense', [0, 2, 1, 3]),
  transposeCase([2, 3, 5], 'dense', [2, 0, 1]),
  transposeCase([2, 3, 2, 3, 2, 3], 'dense', [5, 1, 4, 0, 3, 2]),
  transposeCase([3, 4, 2, 8], 'dense', [1, 0, 2, 3]),
  transposeCase([2, 3, 5, 7], 'rows', [0, 1, 3, 2]),
  transposeCase([2, 3, 5, 7], 'rows', [3, 2, 1, 0]),
  transposeCase([5, 3], 'rows', [1, 0]),
  transposeCase([4, 3, 2, 6], 'rows', [0, 1, 2, 3]),
  interleaving(
    'whole maps',
    [
      [2, 3, 3, 5],
      [2, 3, 3, 5],
    ],
    'rows',
    [0, 0],
    3,
  ),
  interleaving(
    'channels',
    [
      [2, 7, 3, 5],
      [2, 4, 3, 5],
    ],
    'rows',
    [2, 1],
    3,
  ),
  interleaving(
    'vectors',
    [
      [5, 4],
      [5, 6],
    ],
    'rows',
    [1, 2],
    3,
  ),
  interleaving(
    'channels',
    [
      [2, 7, 3],
      [2, 4, 3],
    ],
    'dense',
    [3, 0],
    4,
  ),
  sliceCase([2, 7, 3, 5], 'rows', [{ axis: 1, start: 2, end: 5 }], [2, 3, 3, 5], { 1: [2, 1] }),
  sliceCase([2, 7, 3, 5], 'rows', [{ axis: 1, start: 1, step: 2 }], [2, 3, 3, 5], { 1: [1, 2] }),
  sliceCase(
    [2, 3, 7, 9],
    'rows',
    [
      { axis: -1, start: 1, end: -2, step: 3 },
      { axis: 2, start: -3 },
    ],
    [2, 3, 3, 2],
    {
      2: [4, 1],
      3: [1, 3],
    },
  ),
  sliceCase(
    [3, 2, 4, 5],
    'rows',
    [
      { axis: 0, start: -1, step: -1 },
      { axis: 3, start: 100, end: -100, step: -2 },
    ],
    [3, 2, 4, 3],
    {
      0: [2, -1],
      3: [4, -2],
    },
  ),
  sliceCase([5, 6], 'rows', [{ axis: 0, start: 1, end: 3 }], [2, 6], { 0: [1, 1] }),
  sliceCase([9], 'dense', [{ axis: 0, start: 7, end: 0, step: -3 }], [3], { 0: [7, -3] }),
  sliceCase(
    [2, 3, 4, 3, 2],
    'dense',
    [
      { axis: 2, start: 1, end: 3 },
      { axis: 4, start: 1 },
    ],
    [2, 3, 2, 3, 1],
    {
      2: [1, 1],
      4: [1, 1],
    },
  ),
  sliceCase([6, 8], 'dense', [{ axis: 0, start: 2, end: 5 }], [3, 8], { 0: [2, 1] }),
  splitCase([2, 9, 3, 3], 'rows', 1, [2, 3, 4]),
  splitCase([2, 3, 3, 8], 'rows', 3, [5, 3]),
  splitCase([4, 3, 7], 'dense', 2, [1, 4, 2]),
  expandCase([1, 3, 1, 1], 'rows', [2, 3, 4, 5], [2, 3, 4, 5]),
  expandCase([2, 1, 3, 5], 'rows', [1, 4, 1, 1], [2, 4, 3, 5]),
  expandCase([3, 1], 'dense', [2, 1, 6], [2, 3, 6]),
  expandCase([3, 1], 'rows', [2, 1, 6], [2, 3, 6]),
  expandCase([4], 'dense', [3, 2, 4], [3, 2, 4]),
  shuffleCase([2, 6, 3, 5], 'rows', 2),
  shuffleCase([1, 12, 2, 2], 'rows', 3),
  shuffleCase([3, 6], 'rows', 3),
  shuffleCase([2, 6, 3, 5], 'dense', 3),
  reshapeCase([2, 6, 3, 5], 'rows', [3, 4, 5, 3], 'rows'),
  reshapeCase([2, 6, 3, 5], 'rows', [2, 6, 5, 3], 'rows'),
  reshapeCase([2, 6, 3, 5], 'rows', [2, 2, 3, 15], 'rows'),
  reshapeCase([2, 6, 3, 5], 'rows', [2, 3, 2, 3, 5], 'dense'),
  reshapeCase([3, 7], 'rows', [7, 3], 'rows'),
  reshapeCase([1, 1, 5, 7], 'rows', [35], 'dense'),
  reshapeCase([3, 5, 7], 'dense', [7, 15], 'dense'),
  sameOrder('toDense', [2, 3, 5, 7], 'rows', [2, 3, 5, 7], 'dense', toDense),
  sameOrder('toDense', [5, 3], 'rows', [5, 3], 'dense', toDense),
  sameOrder('toRows', [2, 3, 5, 7], 'dense', [2, 3, 5, 7], 'rows', toRows),
  sameOrder('squeeze of axes 2 and -1', [3, 5, 1, 1], 'rows', [3, 5], 'rows', (b, x) => squeeze(b, x, [2, -1])),
  sameOrder('squeeze', [1, 5, 1, 3], 'dense', [5, 3], 'dense', (b, x) => squeeze(b, x)),
  sameOrder('unsqueeze at 2 and 3', [3, 5], 'rows', [3, 5, 1, 1], 'rows', (b, x) => unsqueeze(b, x, [2, 3])),
  sameOrder('unsqueeze at -1 and 0', [3, 5], 'dense', [1, 3, 5, 1], 'dense', (b, x) => unsqueeze(b, x, [-1, 0])),
  sameOrder('flatten from 0', [2, 3, 5], 'dense', [1, 30], 'dense', (b, x) => flatten(b, x, 0)),
  sameOrder('flatten from 2', [2, 3, 5, 2], 'rows', [6, 10], 'rows', (b, x) => flatten(b, x, 2)),
  sameOrder('flatten from -1', [2, 3, 5, 2], 'rows', [30, 2], 'rows', (b, x) => flatten(b, x, -1)),
  sameOrder('flatten from its rank', [2, 3, 5], 'dense', [30, 1], 'dense', (b, x) => flatten(b, x, 3)),
  concatCase(
    [
      [2, 3, 3, 5],
      [2, 1, 3, 5],
      [2, 4, 3, 5],
    ],
    'rows',
    1,
  ),
  concatCase(
    [
      [2, 3, 3, 5],
      [1, 3, 3, 5],
    ],
    'rows',
    0,
  ),
  concatCase(
    [
      [2, 3, 1, 5],
      [2, 3, 4, 5],
    ],
    'rows',
    2,
  ),
  concatCase(
    [
      [2, 3, 2, 1],
      [2, 3, 2, 6],
      [2, 3, 2, 4],
    ],
    'rows',
    -1,
  ),
  concatCase(
    [
      [3, 2],
      [5, 2],
    ],
    'rows',
    0,
  ),
  concatCase([[3], [4], [1]], 'dense', 0),
  concatCase(
    [
      [2, 3, 4, 1, 2],
      [2, 3, 4, 3, 2],
    ],
    'dense',
    -2,
  ),
];

describe(`ops that move elements, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
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

  test('integers stay integers, beyond what a float holds', async () => {
    const { engine } = opened.families[0] as (typeof opened.families)[0];
    const b = new PlanBuilder(engine);
    const x = b.input('x', [3, 2], { layout: 'dense', dtype: 'u32' });
    const y = reshape(b, transpose(b, concat(b, [slice(b, x, [{ axis: 0, start: 2 }]), x], 0), [1, 0]), [8]);
    b.output('y', y);
    const plan = await b.compile();
    const large = 2 ** 31 + 1;
    const given = Uint32Array.from({ length: 6 }, (_, i) => large + i);
    const { y: read } = await plan.run({ x: given })();
    plan.dispose();
    const bits = [...new Uint32Array((read as Float32Array<ArrayBuffer>).buffer).subarray(0, 8)];
    assert.deepEqual(
      bits.map((value) => value - large),
      [4, 0, 2, 4, 5, 1, 3, 5],
    );
  });

  test('what does not fit is refused', () => {
    const { engine } = opened.families[0] as (typeof opened.families)[0];
    const b = new PlanBuilder(engine);
    const x = b.input('x', [2, 6, 3, 5]);
    const refused = (code: string, build: () => unknown) =>
      assert.throws(build, (error) => error instanceof EngineError && error.code === code);
    refused('INVALID_SHAPE', () => reshape(b, x, [7, 5]));
    refused('INVALID_ARGUMENT', () => transpose(b, x, [0, 1, 1, 2]));
    refused('INVALID_SHAPE', () => slice(b, x, [{ axis: 1, start: 4, end: 4 }]));
    refused('INVALID_ARGUMENT', () => slice(b, x, [{ axis: 4, start: 0 }]));
    refused('INVALID_ARGUMENT', () => slice(b, x, [{ axis: 1, start: 0, step: 0 }]));
    refused('INVALID_ARGUMENT', () =>
      slice(b, x, [
        { axis: 1, start: 0 },
        { axis: -3, start: 0 },
      ]),
    );
    refused('INVALID_SHAPE', () => split(b, x, 1, [2, 3]));
    refused('INVALID_SHAPE', () => expand(b, x, [4, 1, 1]));
    refused('INVALID_SHAPE', () => channelShuffle(b, x, 4));
    const part = (count: number) => ({ tensor: x, first: 0, count });
    refused('INVALID_SHAPE', () => interleave(b, [part(2), part(3)]));
    refused('INVALID_SHAPE', () => interleave(b, []));
    refused('INVALID_SHAPE', () => squeeze(b, x, [0]));
    refused('INVALID_SHAPE', () => concat(b, [x, b.input('other', [2, 6, 3, 4])], 1));
    refused('INVALID_SHAPE', () => toRows(b, b.input('vector', [elementCount([3, 3])], { layout: 'dense' })));
  });
});
