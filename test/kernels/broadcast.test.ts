import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { add, binary, type BinaryKind } from '../../src/kernels/ops/binary/binary.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type LayoutKind, type Shape, type Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { checkOp, type OpCase } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);

interface Side {
  readonly shape: Shape;
  readonly layout: LayoutKind;
}
const rows = (...shape: number[]): Side => ({ shape, layout: 'rows' });
const dense = (...shape: number[]): Side => ({ shape, layout: 'dense' });

const FUNCTIONS: Record<Exclude<BinaryKind, keyof typeof CERTAIN>, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  pow: (a, b) => a ** b,
  fmod: (a, b) => a % b,
};

/** Functions without a gradient, of integers. */
const CERTAIN = {
  integerDiv: (a: number, b: number) => Math.trunc(a / b),
  integerPow: (a: number, b: number) => Math.trunc(a ** b),
  integerMod: (a: number, b: number) => a - b * Math.floor(a / b),
  equal: (a: number, b: number) => Number(a === b),
  less: (a: number, b: number) => Number(a < b),
  lessOrEqual: (a: number, b: number) => Number(a <= b),
  greater: (a: number, b: number) => Number(a > b),
  greaterOrEqual: (a: number, b: number) => Number(a >= b),
  and: (a: number, b: number) => Number(a !== 0 && b !== 0),
  or: (a: number, b: number) => Number(a !== 0 || b !== 0),
  xor: (a: number, b: number) => Number((a !== 0) !== (b !== 0)),
} as const;

/** NumPy's rule, an element at a time: coordinates from the last dimension on, an operand staying at 0 where its size is 1. */
function broadcast(
  f: (a: number, b: number) => number,
  a: Float64Array,
  aShape: Shape,
  b: Float64Array,
  bShape: Shape,
) {
  const rank = Math.max(aShape.length, bShape.length);
  const padded = (shape: Shape) => [...Array<number>(rank - shape.length).fill(1), ...shape];
  const [as, bs] = [padded(aShape), padded(bShape)];
  const shape = as.map((size, d) => Math.max(size, bs[d] as number));
  return Float64Array.from({ length: elementCount(shape) }, (_, i) => {
    let [rest, atA, atB, stepA, stepB] = [i, 0, 0, 1, 1];
    for (let d = rank - 1; d >= 0; d--) {
      const coordinate = rest % (shape[d] as number);
      rest = Math.floor(rest / (shape[d] as number));
      if (as[d] !== 1) atA += coordinate * stepA;
      if (bs[d] !== 1) atB += coordinate * stepB;
      stepA *= as[d] as number;
      stepB *= bs[d] as number;
    }
    return f(a[atA] as number, b[atB] as number);
  });
}

const signed = () => 2 * random() - 1;
/** Away from 0, for divisors and bases. */
const positive = () => 0.5 + random();

function binaryCase(kind: keyof typeof FUNCTIONS, x: Side, y: Side): OpCase {
  const say = ({ shape, layout }: Side) => `${layout} [${shape.join(', ')}]`;
  return {
    name: `${kind} of ${say(x)} and ${say(y)}`,
    // A remainder jumps where a quotient is whole, and float16 moves it there.
    ...(kind === 'fmod' && { float32Only: true }),
    inputs: {
      x: { ...x, make: kind === 'pow' ? positive : signed },
      y: { ...y, make: kind === 'div' || kind === 'fmod' ? positive : signed },
    },
    build: (b, t) => binary(b, kind, t.x as Tensor, t.y as Tensor),
    reference: (values) =>
      broadcast(FUNCTIONS[kind], values.x as Float64Array, x.shape, values.y as Float64Array, y.shape),
  };
}

function certainCase(kind: keyof typeof CERTAIN, x: Side, y: Side): OpCase {
  const whole = (most: number) => () => Math.floor((2 * most + 1) * random()) - most;
  const isDivision = kind.startsWith('integer');
  const divisor = () => (random() < 0.5 ? -1 : 1) * (1 + Math.floor(6 * random()));
  return {
    name: `${kind} of integers`,
    inputs: {
      x: { ...x, constant: true, make: kind === 'integerPow' ? divisor : isDivision ? whole(100_000) : whole(2) },
      y: { ...y, constant: true, make: isDivision ? divisor : whole(2) },
    },
    float32Only: isDivision,
    build: (b, t) => binary(b, kind, t.x as Tensor, t.y as Tensor),
    reference: (values) =>
      broadcast(CERTAIN[kind], values.x as Float64Array, x.shape, values.y as Float64Array, y.shape),
  };
}

const KINDS = Object.keys(FUNCTIONS) as (keyof typeof FUNCTIONS)[];
const CASES: OpCase[] = [
  ...(Object.keys(CERTAIN) as (keyof typeof CERTAIN)[]).map((kind) =>
    certainCase(kind, rows(2, 3, 3, 5), dense(3, 1, 5)),
  ),
  ...KINDS.map((kind) => binaryCase(kind, rows(2, 3, 3, 5), rows(2, 3, 3, 5))),
  // A scale or offset per image and channel: whole quads in an image, quads over two, over more.
  ...KINDS.map((kind) => binaryCase(kind, rows(2, 3, 5, 7), rows(2, 3, 1, 1))),
  binaryCase('mul', rows(3, 5, 4, 4), rows(3, 5, 1, 1)),
  binaryCase('mul', rows(5, 2, 1, 3), rows(5, 2, 1, 1)),
  // Many short sums.
  binaryCase('mul', rows(3, 101, 3, 3), rows(3, 101, 1, 1)),
  binaryCase('sub', rows(2, 3, 1, 1), rows(2, 3, 5, 7)),
  binaryCase('mul', rows(2, 3, 3, 3), dense(2, 3, 1, 1)),
  // Per channel.
  binaryCase('mul', rows(2, 5, 3, 3), rows(1, 5, 1, 1)),
  binaryCase('div', rows(2, 5, 3, 3), dense(5, 1, 1)),
  binaryCase('sub', dense(5, 1, 1), rows(2, 5, 3, 3)),
  binaryCase('add', rows(3, 5), dense(5)),
  // A scalar; the last with a sum long enough to be taken in two steps.
  binaryCase('mul', rows(2, 3, 3, 5), dense()),
  binaryCase('pow', rows(2, 3, 3, 5), dense(1)),
  binaryCase('mul', rows(2, 7, 19, 21), dense(1)),
  // Per image, per line, per column, both sides repeated.
  binaryCase('mul', rows(3, 2, 3, 3), rows(3, 1, 1, 1)),
  binaryCase('add', rows(2, 3, 3, 5), dense(5)),
  binaryCase('mul', rows(2, 3, 3, 5), dense(3, 1)),
  binaryCase('mul', rows(2, 1, 3, 1), rows(1, 4, 1, 5)),
  binaryCase('div', rows(2, 1, 3, 1), dense(4, 1, 5)),
  binaryCase('sub', rows(3, 1), rows(1, 5)),
  // Layouts that differ, ranks that differ.
  binaryCase('mul', rows(2, 3, 3, 5), dense(2, 3, 3, 5)),
  binaryCase('max', dense(2, 3, 3, 5), rows(2, 3, 1, 1)),
  binaryCase('mul', rows(3, 5), rows(2, 4, 3, 5)),
  binaryCase('mul', dense(2, 1, 3, 1, 2, 3), rows(3, 4, 1, 3)),
  binaryCase('add', dense(7), dense(7)),
  binaryCase('mul', dense(4, 3, 7), dense(7)),
  binaryCase('sub', dense(3, 7), dense(2, 1, 3, 1)),
  binaryCase('div', dense(2, 1, 3, 1, 2, 3), dense(2, 1, 2, 1, 3)),
  binaryCase('add', dense(), dense()),
  {
    ...binaryCase('mul', rows(2, 3, 3, 5), rows(2, 3, 3, 5)),
    name: 'a square, both operands being one tensor',
    inputs: { x: { shape: [2, 3, 3, 5] } },
    build: (b, { x }) => binary(b, 'mul', x as Tensor, x as Tensor),
    reference: ({ x }) => (x as Float64Array).map((value) => value * value),
  },
  ...[2, 3, -1, 0].map((exponent): OpCase => {
    const makeBase = () => (random() < 0.5 ? -1 : 1) * positive();
    return {
      name: `bases of both signs to the power ${exponent}`,
      inputs: {
        x: { shape: [2, 3, 3, 5], make: makeBase },
        y: { shape: [1], layout: 'dense', constant: true, make: () => exponent },
      },
      build: (b, { x, y }) => binary(b, 'pow', x as Tensor, y as Tensor),
      reference: ({ x }) => (x as Float64Array).map((value) => value ** exponent),
    };
  }),
];

describe(`binary ops that broadcast, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());
  for (const op of CASES) {
    test(op.name, async (t) => {
      if (opened.skipped) t.diagnostic(opened.skipped);
      for (const { engine, family } of opened.families) {
        await checkOp(engine, { ...op, name: `${op.name}, ${family}` }, random);
      }
    });
  }

  const first = () => (opened.families[0] as FamilyEngine).engine;

  test('equal operands of max and min share the gradient', async () => {
    for (const kind of ['max', 'min'] as const) {
      const b = new PlanBuilder(first());
      const [x, y] = ['x', 'y'].map((name) => b.input(name, [2, 1, 1, 2], { requiresGradient: true })) as [
        Tensor,
        Tensor,
      ];
      const gradients = b.backward(binary(b, kind, x, y));
      b.output('dx', gradients.get(x) as Tensor);
      b.output('dy', gradients.get(y) as Tensor);
      const plan = await b.compile({ poison: true });
      const given = { x: Float32Array.of(1, 2, -3, 0), y: Float32Array.of(1, 1, -2, 0) };
      const { dx, dy } = (await plan.run(given)()) as { dx: Float32Array; dy: Float32Array };
      plan.dispose();
      const [larger, smaller] = [
        [0.5, 1, 0, 0.5],
        [0.5, 0, 1, 0.5],
      ];
      assert.deepEqual([...dx], kind === 'max' ? larger : smaller);
      assert.deepEqual([...dy], kind === 'max' ? smaller : larger);
    }
  });

  test('gradients of an addition that repeats nothing cost no dispatch', () => {
    const b = new PlanBuilder(first());
    const [x, y] = ['x', 'y'].map((name) => b.input(name, [2, 3, 3, 3], { requiresGradient: true })) as [
      Tensor,
      Tensor,
    ];
    const upstream = b.input('upstream', [2, 3, 3, 3]);
    const gradients = b.backward(add(b, x, y), upstream);
    assert.equal(gradients.get(x), upstream);
    assert.equal(gradients.get(y), upstream);
  });

  test('shapes that do not broadcast are refused', () => {
    const b = new PlanBuilder(first());
    const input = (shape: Shape) => b.input(`${Math.random()}`, shape, { layout: 'dense' });
    for (const [x, y] of [
      [[2, 3], [2]],
      [
        [2, 3, 4],
        [2, 3, 5],
      ],
      [[1, 2, 1, 1, 1, 1, 1, 1, 1], [2]],
    ] as const) {
      assert.throws(() => add(b, input(x), input(y)), { code: 'INVALID_SHAPE', message: /do not broadcast/ });
    }
  });
});
