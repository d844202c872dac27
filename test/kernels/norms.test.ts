import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { groupNorm, instanceNorm } from '../../src/kernels/ops/groupNorm/groupNorm.js';
import { l2Normalize } from '../../src/kernels/ops/l2Normalize/l2Normalize.js';
import { layerNorm, layerNorm2d } from '../../src/kernels/ops/layerNorm/layerNorm.js';
import type { NormParameters } from '../../src/kernels/ops/layerNorm/normParameters.js';
import { localResponseNorm } from '../../src/kernels/ops/localResponseNorm/localResponseNorm.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type LayoutKind, type Shape, type Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { assertClose, checkOp, type OpCase, type OpInput } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);
const EPSILON = 1e-3;

type Affine = 'weight and bias' | 'weight' | 'bias' | 'nothing';

/** Normalised by the moments of the elements of one group, then scaled by the weight of its parameter index. */
function reference(
  x: Float64Array,
  groupOf: (i: number) => number,
  parameterOf: (i: number) => number,
  { weight, bias }: Readonly<Record<string, Float64Array>>,
): Float64Array {
  const members = new Map<number, number[]>();
  x.forEach((_, i) => {
    const group = members.get(groupOf(i));
    if (group) group.push(i);
    else members.set(groupOf(i), [i]);
  });
  const y = new Float64Array(x.length);
  for (const group of members.values()) {
    const mean = group.reduce((sum, i) => sum + (x[i] as number), 0) / group.length;
    const variance = group.reduce((sum, i) => sum + ((x[i] as number) - mean) ** 2, 0) / group.length;
    for (const i of group) {
      const normalized = ((x[i] as number) - mean) / Math.sqrt(variance + EPSILON);
      y[i] = normalized * (weight?.[parameterOf(i)] ?? 1) + (bias?.[parameterOf(i)] ?? 0);
    }
  }
  return y;
}

/** Values of a group do not lie around 0: a one-pass variance would lose digits. */
const shifted = () => 3 + random() * 2;

function parameters(affine: Affine, shape: Shape): Record<string, OpInput> {
  const parameter = { shape, layout: 'dense', make: () => 0.5 + random() } as const;
  return {
    ...(affine.includes('weight') ? { weight: parameter } : {}),
    ...(affine.includes('bias') ? { bias: parameter } : {}),
  };
}
const given = (t: Readonly<Record<string, Tensor>>): NormParameters => ({
  weight: t.weight ?? null,
  bias: t.bias ?? null,
  epsilon: EPSILON,
});

function layerNormCase(shape: Shape, axes: number, affine: Affine, layout: LayoutKind = 'dense'): OpCase {
  const normalized = shape.slice(shape.length - axes);
  const size = elementCount(normalized);
  return {
    name: `layer norm of ${layout} ${shape.join('x')} over the last ${axes}, ${affine}`,
    inputs: { x: { shape, layout, make: shifted }, ...parameters(affine, normalized) },
    build: (b, t) => layerNorm(b, t.x as Tensor, axes, given(t)),
    reference: (values) =>
      reference(
        values.x as Float64Array,
        (i) => Math.floor(i / size),
        (i) => i % size,
        values,
      ),
  };
}

/** In logical order: the picture and channel of element i of [N, C, H, W]. */
function coordinates(shape: Shape): {
  image: (i: number) => number;
  channel: (i: number) => number;
  pixel: (i: number) => number;
} {
  const [, channels = 1] = shape;
  const pixels = elementCount(shape.slice(2));
  return {
    image: (i) => Math.floor(i / (channels * pixels)),
    channel: (i) => Math.floor(i / pixels) % channels,
    pixel: (i) => i % pixels,
  };
}

function layerNorm2dCase(shape: Shape, affine: Affine): OpCase {
  const { image, channel, pixel } = coordinates(shape);
  const pixels = elementCount(shape.slice(2));
  return {
    name: `layer norm over the channels of ${shape.join('x')}, ${affine}`,
    inputs: { x: { shape, make: shifted }, ...parameters(affine, [shape[1] as number]) },
    build: (b, t) => layerNorm2d(b, t.x as Tensor, given(t)),
    reference: (values) => reference(values.x as Float64Array, (i) => image(i) * pixels + pixel(i), channel, values),
  };
}

function groupNormCase(shape: Shape, groups: number, affine: Affine): OpCase {
  const { image, channel } = coordinates(shape);
  const [, channels = 1] = shape;
  return {
    name: `group norm of ${shape.join('x')} in ${groups} groups, ${affine}`,
    inputs: { x: { shape, make: shifted }, ...parameters(affine, [channels]) },
    build: (b, t) =>
      groups === channels ? instanceNorm(b, t.x as Tensor, given(t)) : groupNorm(b, t.x as Tensor, groups, given(t)),
    reference: (values) =>
      reference(
        values.x as Float64Array,
        (i) => image(i) * groups + Math.floor((channel(i) * groups) / channels),
        channel,
        values,
      ),
  };
}

function localResponseCase(shape: Shape, size: number, before?: number): OpCase {
  const { image, channel, pixel } = coordinates(shape);
  const [, channels = 1] = shape;
  const pixels = elementCount(shape.slice(2));
  // A larger alpha than the networks have, so that the window matters.
  const attributes = { size, alpha: 2, beta: 0.75, k: 1.5, ...(before === undefined ? {} : { before }) };
  const first = before ?? Math.floor((size - 1) / 2);
  return {
    name: `local response norm of ${shape.join('x')}, size ${size}, ${first} before`,
    inputs: { x: { shape } },
    build: (b, t) => localResponseNorm(b, t.x as Tensor, attributes),
    reference: ({ x = new Float64Array() }) =>
      x.map((value, i) => {
        let squares = 0;
        for (let c = channel(i) - first; c < channel(i) - first + size; c++) {
          if (c >= 0 && c < channels) squares += (x[(image(i) * channels + c) * pixels + pixel(i)] as number) ** 2;
        }
        return value / (attributes.k + (attributes.alpha / size) * squares) ** attributes.beta;
      }),
  };
}

function l2Case(shape: Shape, layout: LayoutKind, axis: number): OpCase {
  const at = axis < 0 ? axis + shape.length : axis;
  const size = shape[at] as number;
  const inner = elementCount(shape.slice(at + 1));
  const firstOf = (i: number) => i - (Math.floor(i / inner) % size) * inner;
  return {
    name: `L2 normalisation of ${layout} ${shape.join('x')} over axis ${axis}`,
    inputs: { x: { shape, layout } },
    build: (b, t) => l2Normalize(b, t.x as Tensor, axis),
    reference: ({ x = new Float64Array() }) =>
      x.map((value, i) => {
        let squares = 0;
        for (let k = 0; k < size; k++) squares += (x[firstOf(i) + k * inner] as number) ** 2;
        return value / Math.sqrt(squares);
      }),
  };
}

const CASES: OpCase[] = [
  layerNormCase([5, 7], 1, 'weight and bias'),
  layerNormCase([3, 4, 130], 1, 'weight and bias'),
  layerNormCase([2, 3, 5, 4], 2, 'bias'),
  layerNormCase([37, 8], 1, 'weight'),
  layerNormCase([19], 1, 'nothing'),
  layerNormCase([3, 5, 3, 7], 3, 'weight and bias', 'rows'),
  layerNormCase([2, 6, 2, 2], 3, 'weight', 'rows'),
  layerNormCase([3, 9], 1, 'bias', 'rows'),
  layerNorm2dCase([3, 17, 5, 7], 'weight and bias'),
  layerNorm2dCase([2, 96, 4, 4], 'weight and bias'),
  layerNorm2dCase([3, 130], 'weight'),
  layerNorm2dCase([2, 5, 1, 1], 'nothing'),
  groupNormCase([3, 12, 5, 7], 3, 'weight and bias'),
  groupNormCase([2, 8, 4, 6], 2, 'weight'),
  groupNormCase([3, 70, 3, 3], 1, 'weight and bias'),
  groupNormCase([5, 12], 4, 'bias'),
  groupNormCase([3, 5, 7, 3], 5, 'weight and bias'),
  groupNormCase([2, 6, 1, 2], 6, 'nothing'),
  groupNormCase([1, 4, 21, 19], 4, 'weight'),
  l2Case([3, 5, 4], 'dense', -1),
  l2Case([3, 6, 4], 'dense', 1),
  l2Case([2, 19, 3, 3], 'rows', 1),
  localResponseCase([2, 7, 3, 5], 5),
  localResponseCase([1, 20, 5, 5], 4),
  localResponseCase([1, 20, 5, 5], 4, 2),
  localResponseCase([2, 70, 3, 3], 3),
  localResponseCase([3, 2, 2, 2], 5),
  localResponseCase([3, 9], 1),
];

/**
 * Values and input gradients that PyTorch 2.2.2 gives in float64 (functional.local_response_norm, group_norm, layer_norm), for
 * x [1, 6, 1, 2] and the output's gradient as below.
 */
const PUBLISHED_X = Array.from({ length: 12 }, (_, i) => ((i * 7) % 11) / 3 - 1.5);
const PUBLISHED_UPSTREAM = PUBLISHED_X.map((_, i) => ((i * 5) % 7) / 4 - 0.75);
const PUBLISHED: readonly {
  readonly name: string;
  readonly op: (b: PlanBuilder, x: Tensor, weight: Tensor) => Tensor;
  readonly y: readonly number[];
  readonly dx: readonly number[];
}[] = [
  {
    name: 'local response norm over 4 channels, alpha 0.9, beta 0.75, k 2',
    op: (b, x) => localResponseNorm(b, x, { size: 4, before: 2, alpha: 0.9, beta: 0.75, k: 2 }),
    y: [
      -0.74061645, 0.37378279, -0.24288432, 0.79071559, 0.21273184, -0.35886815, 0.67065143, 0.06925505, -0.52840681,
      0.51502886, -0.07661368, -0.68952313,
    ],
    dx: [
      -0.23472363, 0.25066247, 0.03552201, -0.14762008, 0.33566256, 0.05869043, -0.06896075, -0.2987807, 0.17305675,
      0.07858107, -0.2342458, 0.25188234,
    ],
  },
  {
    name: 'group norm in 2 groups, weight',
    op: (b, x, weight) => groupNorm(b, x, 2, { weight, bias: null, epsilon: 1e-5 }),
    y: [
      -0.69652324, 0.34826162, -0.4975166, 1.59205312, 0.59701992, -1.19403984, 2.72392844, 0.30265872, -2.64826376,
      2.64826376, -0.45398807, -4.08589266,
    ],
    dx: [
      -0.45607749, 0.0881122, -0.12690371, -0.59018513, 0.87391749, 0.21113664, 0.59086899, -1.24586899, 0.32230358,
      0.81266661, -1.47805945, 0.99808926,
    ],
  },
  {
    name: 'layer norm over channels at each pixel',
    op: (b, x) => layerNorm2d(b, x, { weight: null, bias: null, epsilon: 1e-5 }),
    y: [
      -1.2680248, 0.48336641, -0.27565757, 1.35342596, 0.71670967, -0.96673283, 1.70907691, -0.09667328, -0.93723572,
      0.77338626, 0.05513151, -1.54677253,
    ],
    dx: [
      -0.58441196, 0.52244136, 0.06711273, -0.12502286, 0.71863742, -0.06606573, -0.36648055, -0.71352996, 0.62513017,
      0.16161003, -0.4599878, 0.22056716,
    ],
  },
];

describe(`norms, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
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

  for (const { name, op, y, dx } of PUBLISHED) {
    test(`as PyTorch: ${name}`, async () => {
      for (const { engine } of families) {
        const b = new PlanBuilder(engine);
        const shape = [1, 6, 1, 2];
        const x = b.input('x', shape, { requiresGradient: true });
        const output = op(b, x, b.input('weight', [6], { layout: 'dense' }));
        b.output('y', output);
        b.output('dx', b.backward(output, b.input('upstream', shape)).get(x) as Tensor);
        const plan = await b.compile({ poison: true });
        const outputs = await plan.run({
          x: Float32Array.from(PUBLISHED_X),
          upstream: Float32Array.from(PUBLISHED_UPSTREAM),
          weight: Float32Array.of(0.5, 1, 1.5, 2, 2.5, 3),
        })();
        plan.dispose();
        assertClose(outputs.y as Float32Array, y, 'y', 1e-5);
        assertClose(outputs.dx as Float32Array, dx, 'dx', 1e-5);
      }
    });
  }

  async function values(shape: Shape, x: Float32Array, f16: boolean, build: (b: PlanBuilder, x: Tensor) => Tensor) {
    const b = new PlanBuilder((families[0] as FamilyEngine).engine, { activationType: f16 ? 'f16' : 'f32' });
    const input = b.input('x', shape, { requiresGradient: true });
    const y = build(b, input);
    const gradient = b.backward(y, b.input('upstream', shape)).get(input);
    assert.ok(gradient);
    b.output('y', y);
    b.output('dx', gradient);
    const plan = await b.compile({ poison: true });
    try {
      const upstream = Float32Array.from(x, (_, i) => Math.sin(i));
      return (await plan.run({ x, upstream })()) as { y: Float32Array; dx: Float32Array };
    } finally {
      plan.dispose();
    }
  }

  test('large offsets cost no digits', async () => {
    // 4096 + a multiple of 1/64 is exact in float32; the moments are those of the multiples alone.
    const shape = [2, 8, 3, 5] as const;
    const plain = Float32Array.from({ length: elementCount(shape) }, () => Math.floor(random() * 256) / 64);
    for (const build of [
      (b: PlanBuilder, x: Tensor) => groupNorm(b, x, 2, given({})),
      (b: PlanBuilder, x: Tensor) => instanceNorm(b, x, given({})),
      (b: PlanBuilder, x: Tensor) => layerNorm2d(b, x, given({})),
    ]) {
      const expected = await values(shape, plain, false, build);
      const actual = await values(
        shape,
        plain.map((value) => value + 4096),
        false,
        build,
      );
      assertClose(actual.y, expected.y, 'y', 1e-3);
    }
  });

  test('a plan in float16 gives the values of float32', async (t) => {
    const { engine } = families[0] as FamilyEngine;
    if (!engine.device.features.has('shader-f16')) return t.skip('the adapter has no shader-f16');
    const shape = [3, 8, 5, 3] as const;
    const x = Float32Array.from({ length: elementCount(shape) }, () => 2 * random() - 1);
    for (const build of [
      (b: PlanBuilder, input: Tensor) => groupNorm(b, input, 2, given({})),
      (b: PlanBuilder, input: Tensor) => layerNorm2d(b, input, given({})),
      (b: PlanBuilder, input: Tensor) => localResponseNorm(b, input, { size: 5, alpha: 1, beta: 0.75, k: 1 }),
    ]) {
      const single = await values(shape, x, false, build);
      const half = await values(shape, x, true, build);
      assertClose(half.y, single.y, 'y', 4e-3);
      assertClose(half.dx, single.dx, 'dx', 4e-3);
    }
  });

  test('L2 normalisation of zeros is zeros', async () => {
    const { y, dx } = await values([1, 4, 1, 1], new Float32Array(4), false, (b, x) => l2Normalize(b, x, 1, 0.5));
    assert.deepEqual([...y], [0, 0, 0, 0]);
    // Below epsilon it divides by epsilon.
    assertClose(
      dx,
      [0, 1, 2, 3].map((i) => 2 * Math.sin(i)),
      'dx',
      1e-6,
    );
  });

  test('shapes and attributes that make no sense are refused', () => {
    const b = new PlanBuilder((families[0] as FamilyEngine).engine);
    const maps = b.input('maps', [2, 6, 3, 3]);
    const tokens = b.input('tokens', [2, 6, 3], { layout: 'dense' });
    const six = b.input('six', [6], { layout: 'dense' });
    for (const build of [
      () => groupNorm(b, maps, 4, given({})),
      () => groupNorm(b, tokens, 2, given({})),
      () => instanceNorm(b, maps, given({ weight: tokens })),
      () => layerNorm(b, maps, 1, given({})),
      () => layerNorm(b, tokens, 4, given({})),
      () => layerNorm(b, tokens, 1, given({ bias: six })),
      () => layerNorm2d(b, tokens, given({})),
      () => localResponseNorm(b, maps, { size: 0, alpha: 1, beta: 1, k: 1 }),
      () => localResponseNorm(b, maps, { size: 3, before: 3, alpha: 1, beta: 1, k: 1 }),
    ]) {
      assert.throws(build, EngineError);
    }
  });
});
