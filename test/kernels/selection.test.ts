import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { argExtreme } from '../../src/kernels/ops/argExtreme/argExtreme.js';
import { cumulativeSum } from '../../src/kernels/ops/cumulativeSum/cumulativeSum.js';
import { toIndices } from '../../src/kernels/ops/gather/indices.js';
import { gatherElements } from '../../src/kernels/ops/gatherElements/gatherElements.js';
import { maxPool } from '../../src/kernels/ops/pool/pool.js';
import { maxPoolIndices } from '../../src/kernels/ops/maxPoolIndices/maxPoolIndices.js';
import { reduceProduct } from '../../src/kernels/ops/reduce/reduce.js';
import { topK } from '../../src/kernels/ops/topK/topK.js';
import { where } from '../../src/kernels/ops/where/where.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type LayoutKind, type Shape, type Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { checkOp, type OpCase } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';
import { indicesOf, offsetOf } from './logical.js';

const seed = freshSeed();
const random = seeded(seed);

/** The element of an operand that broadcasts to `index`. */
const at = (values: Float64Array | undefined, shape: Shape, index: readonly number[]): number =>
  values?.[
    offsetOf(
      shape.map((size, axis) => (size === 1 ? 0 : (index[axis + index.length - shape.length] as number))),
      shape,
    )
  ] as number;

function whereCase(c: Shape, x: Shape, y: Shape, layout: LayoutKind): OpCase {
  const result = [0, 1, 2, 3].map((axis) => Math.max(...[c, x, y].map((shape) => shape[axis - 4 + shape.length] ?? 1)));
  return {
    name: `where of ${[c, x, y].map((shape) => shape.join('x')).join(', ')} ${layout}`,
    inputs: {
      c: { shape: c, layout, constant: true, make: () => (random() < 0.5 ? 0 : 1) },
      x: { shape: x, layout },
      y: { shape: y, layout: 'dense' },
    },
    build: (b, t) => where(b, t.c as Tensor, t.x as Tensor, t.y as Tensor),
    reference: (values) =>
      Float64Array.from(indicesOf(result), (index) =>
        at(values.c, c, index) !== 0 ? at(values.x, x, index) : at(values.y, y, index),
      ),
  };
}

function cumulativeCase(shape: Shape, axis: number, exclusive: boolean, reverse: boolean): OpCase {
  return {
    name: `cumulative sum of ${shape.join('x')} along ${axis}${exclusive ? ', exclusive' : ''}${reverse ? ', reversed' : ''}`,
    inputs: { x: { shape, layout: 'dense' } },
    build: (b, { x }) => cumulativeSum(b, x as Tensor, { axis, exclusive, reverse }),
    reference: ({ x }) =>
      Float64Array.from(indicesOf(shape), (index) => {
        let sum = 0;
        for (let k = 0; k < (shape[axis] as number); k++) {
          const own = index[axis] as number;
          const counts = reverse ? k > own : k < own;
          if (counts || (k === own && !exclusive)) sum += x?.[offsetOf(index.with(axis, k), shape)] as number;
        }
        return sum;
      }),
  };
}

function gatherElementsCase(shape: Shape, axis: number, chosen: number): OpCase {
  const indexShape = shape.map((size, i) => (i === axis ? chosen : size));
  const size = shape[axis] as number;
  return {
    name: `gatherElements of ${shape.join('x')} along ${axis}`,
    inputs: {
      x: { shape, layout: 'dense' },
      indices: {
        shape: indexShape,
        layout: 'dense',
        constant: true,
        make: () => Math.floor(2 * size * random()) - size,
      },
    },
    build: (b, { x, indices }) => gatherElements(b, x as Tensor, toIndices(b, indices as Tensor, size), axis),
    reference: ({ x, indices }) =>
      Float64Array.from(indicesOf(indexShape), (index, i) => {
        const k = indices?.[i] as number;
        return x?.[offsetOf(index.with(axis, k < 0 ? k + size : k), shape)] as number;
      }),
  };
}

/** Values a line apart from each other, so that float16 keeps their order. */
function sortedOut(shape: Shape, axis: number, k: number, largest: boolean, part: 'values' | 'indices'): OpCase {
  const result = shape.map((size, i) => (i === axis ? k : size));
  const values = Array.from({ length: elementCount(shape) }, (_, i) => i - elementCount(shape) / 2);
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j] as number, values[i] as number];
  }
  let next = 0;
  return {
    name: `top ${k}, ${largest ? 'largest' : 'smallest'}, of ${shape.join('x')} along ${axis}: ${part}`,
    inputs: {
      x: { shape, layout: 'dense', constant: part === 'indices', make: () => values[next++ % values.length] as number },
    },
    build: (b, { x }) => topK(b, x as Tensor, { k, axis, largest })[part],
    reference: ({ x }) =>
      Float64Array.from(indicesOf(result), (index) => {
        const line = Array.from({ length: shape[axis] as number }, (_, place) => ({
          place,
          value: x?.[offsetOf(index.with(axis, place), shape)] as number,
        }));
        line.sort((a, b) => (largest ? b.value - a.value : a.value - b.value) || a.place - b.place);
        const found = line[index[axis] as number] as { place: number; value: number };
        return part === 'values' ? found.value : found.place;
      }),
  };
}

function argCase(shape: Shape, axis: number, extreme: 'max' | 'min', select: 'first' | 'last'): OpCase {
  return {
    name: `arg ${extreme} of ${shape.join('x')} along ${axis}, the ${select}`,
    inputs: { x: { shape, layout: 'dense', constant: true, make: () => Math.floor(4 * random()) - 2 } },
    build: (b, { x }) => argExtreme(b, x as Tensor, { extreme, axis, keepDims: true, select }),
    reference: ({ x }) =>
      Float64Array.from(indicesOf(shape.with(axis, 1)), (index) => {
        const line = Array.from(
          { length: shape[axis] as number },
          (_, k) => x?.[offsetOf(index.with(axis, k), shape)] as number,
        );
        const best = Math[extreme](...line);
        return select === 'first' ? line.indexOf(best) : line.lastIndexOf(best);
      }),
  };
}

/** What the indices point at is what max pooling gives. */
const POOLED: OpCase = {
  name: 'the pixels at the indices of a max pooling',
  inputs: { x: { shape: [2, 3, 7, 6], layout: 'dense', constant: true } },
  build(b, { x }) {
    const attributes = {
      kernel: [3, 2] as const,
      stride: [2, 2] as const,
      padding: { top: 1, left: 0, bottom: 1, right: 1 },
      ceilMode: false,
      dilation: [1, 2] as const,
    };
    const places = maxPoolIndices(b, x as Tensor, { ...attributes, order: 'rowMajor' });
    return places;
  },
  reference: ({ x }) =>
    Float64Array.from(indicesOf([2, 3, 4, 3]), ([n = 0, c = 0, row = 0, column = 0]) => {
      let [best, place] = [Number.NEGATIVE_INFINITY, -1];
      for (let ky = 0; ky < 3; ky++) {
        for (let kx = 0; kx < 2; kx++) {
          const [y, xx] = [2 * row - 1 + ky, 2 * column + 2 * kx];
          if (y < 0 || y > 6 || xx > 5) continue;
          const offset = offsetOf([n, c, y, xx], [2, 3, 7, 6]);
          if ((x?.[offset] as number) > best) [best, place] = [x?.[offset] as number, offset];
        }
      }
      return place;
    }),
};

const CASES: OpCase[] = [
  whereCase([2, 3, 3, 5], [2, 3, 3, 5], [2, 3, 3, 5], 'rows'),
  whereCase([2, 1, 3, 1], [2, 3, 1, 5], [3, 3, 1], 'dense'),
  cumulativeCase([3, 4, 5], 1, false, false),
  cumulativeCase([3, 4, 5], 0, true, false),
  cumulativeCase([3, 4, 5], 2, false, true),
  cumulativeCase([7], 0, true, true),
  gatherElementsCase([2, 5, 3], 1, 4),
  gatherElementsCase([3, 4], 0, 6),
  sortedOut([2, 9, 3], 1, 4, true, 'values'),
  sortedOut([2, 9, 3], 1, 4, false, 'indices'),
  sortedOut([31], 0, 31, true, 'indices'),
  argCase([2, 7, 3], 1, 'max', 'first'),
  argCase([2, 7, 3], 2, 'min', 'last'),
  { ...POOLED, float32Only: true },
  {
    name: 'product over axes',
    inputs: { x: { shape: [3, 4, 5], layout: 'dense', constant: true, make: () => 0.5 + random() } },
    build: (b, { x }) => reduceProduct(b, x as Tensor, { axes: [0, 2] }),
    reference: ({ x }) =>
      Float64Array.from({ length: 4 }, (_, j) =>
        indicesOf([3, 5]).reduce((product, [i = 0, k = 0]) => product * (x?.[(i * 4 + j) * 5 + k] as number), 1),
      ),
  },
];

describe(`ops that select, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());
  const engine = () => (opened.families[0] as FamilyEngine).engine;

  for (const op of CASES) {
    test(op.name, async (t) => {
      if (opened.skipped) t.diagnostic(opened.skipped);
      for (const each of opened.families) {
        await checkOp(each.engine, { ...op, name: `${op.name}, ${each.family}` }, random);
      }
    });
  }

  test('the values at the places of a max pooling are its result', async () => {
    const b = new PlanBuilder(engine());
    const attributes = {
      kernel: [2, 2] as const,
      stride: [2, 2] as const,
      padding: { top: 0, left: 0, bottom: 0, right: 0 },
      ceilMode: true,
    };
    const shape = [1, 2, 5, 5];
    b.output(
      'places',
      maxPoolIndices(b, b.input('x', shape, { layout: 'dense' }), { ...attributes, order: 'columnMajor' }),
    );
    b.output('values', maxPool(b, b.input('rows', shape), attributes));
    const plan = await b.compile();
    const x = Float32Array.from({ length: 50 }, () => random());
    const { places, values } = (await plan.run({ x, rows: x })()) as { places: Float32Array; values: Float32Array };
    plan.dispose();
    const found = [...places].map((place) => {
      const [plane, within] = [Math.floor(place / 25), place % 25];
      return x[plane * 25 + (within % 5) * 5 + Math.floor(within / 5)];
    });
    assert.deepEqual(found, [...values]);
  });

  test('NaN has a rank too: every place of a whole top k is taken once', async () => {
    const b = new PlanBuilder(engine());
    b.output('places', topK(b, b.input('x', [6], { layout: 'dense' }), { k: 6, axis: 0, largest: true }).indices);
    const plan = await b.compile({ poison: true });
    const { places } = (await plan.run({ x: Float32Array.of(Number.NaN, 1, -0, 0, Number.NaN, -1) })()) as {
      places: Float32Array;
    };
    plan.dispose();
    assert.deepEqual(
      [...places].toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5],
    );
    assert.deepEqual([...places].slice(2), [1, 2, 3, 5]);
  });

  test('what is no place in the data gives NaN', async () => {
    const b = new PlanBuilder(engine());
    const indices = toIndices(b, b.input('i', [4], { layout: 'dense' }), 3);
    b.output('y', gatherElements(b, b.input('x', [3], { layout: 'dense' }), indices, 0));
    const plan = await b.compile();
    const { y } = (await plan.run({ x: Float32Array.of(5, 6, 7), i: Float32Array.of(-3, 3, -4, 2) })()) as {
      y: Float32Array;
    };
    plan.dispose();
    assert.deepEqual([...y], [5, Number.NaN, Number.NaN, 7]);
  });

  test('more than there is, and rows, are refused', () => {
    const b = new PlanBuilder(engine());
    const x = b.input('x', [2, 3], { layout: 'dense' });
    const rows = b.input('rows', [2, 3]);
    const invalid = (error: unknown) => error instanceof EngineError && error.code === 'INVALID_ARGUMENT';
    assert.throws(() => topK(b, x, { k: 4, axis: 1, largest: true }), invalid);
    assert.throws(() => cumulativeSum(b, rows, { axis: 0, exclusive: false, reverse: false }), invalid);
    assert.throws(() => argExtreme(b, rows, { extreme: 'max', axis: 0, keepDims: true, select: 'first' }), invalid);
    assert.throws(() => toIndices(b, rows, 3), invalid);
  });
});
