import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Activation, activation } from '../../src/kernels/ops/activation/activation.js';
import { batchNorm } from '../../src/kernels/ops/batchNorm/batchNorm.js';
import { add, binary } from '../../src/kernels/ops/binary/binary.js';
import { conv2d } from '../../src/kernels/ops/conv2d/conv2d.js';
import { dense } from '../../src/kernels/ops/dense/dense.js';
import { prelu } from '../../src/kernels/ops/prelu/prelu.js';
import { unary, type UnaryKind } from '../../src/kernels/ops/unary/unary.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { LayoutKind, Shape, Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { activationReference, erf } from './activationReference.js';
import { checkOp, type OpCase, type OpInput } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);

const ACTIVATIONS: readonly Activation[] = [
  'relu',
  { kind: 'relu6' },
  { kind: 'clip', min: -1.5, max: Infinity },
  // Not a float16, so that its gradient hangs on the input.
  { kind: 'clip', min: -0.3, max: 0.7 },
  { kind: 'leakyRelu', slope: 0.1 },
  { kind: 'leakyRelu', slope: -0.2 },
  { kind: 'elu', alpha: 1.3 },
  'sigmoid',
  { kind: 'hardSigmoid', alpha: 0.2, beta: 0.5 },
  { kind: 'hardSigmoid', alpha: 1 / 6, beta: 0.5 },
  'tanh',
  'softplus',
  'hardSwish',
  'silu',
  'gelu',
  'geluTanh',
  'mish',
  'softsign',
  { kind: 'selu', alpha: 1.67326319217681884765625, gamma: 1.05070102214813232421875 },
  { kind: 'celu', alpha: 1.4 },
  { kind: 'thresholdedRelu', alpha: 0.6 },
  { kind: 'shrink', lambda: 0.5, bias: 0.25 },
];
const show = (kind: Activation): string =>
  typeof kind === 'string' ? kind : Object.values(kind).join(' ').replace('Infinity', 'inf');

/** In [-7, 7), away from corners, where central differences say nothing. */
function awayFrom(corners: readonly number[]): () => number {
  const make = (): number => {
    const x = 14 * random() - 7;
    return corners.some((corner) => Math.abs(x - corner) < 0.01) ? make() : x;
  };
  return make;
}

function aloneCase(kind: Activation, shape: Shape, layout: LayoutKind): OpCase {
  const { f, corners } = activationReference(kind);
  return {
    name: `${show(kind)} of ${layout} ${shape.join('x')}`,
    inputs: { x: { shape, layout, make: awayFrom(corners) } },
    build: (b, { x }) => activation(b, x as Tensor, kind),
    reference: ({ x }) => (x as Float64Array).map(f),
  };
}

const ALONE: OpCase[] = [
  ...ACTIVATIONS.map((kind) => aloneCase(kind, [2, 3, 5, 7], 'rows')),
  aloneCase('gelu', [3, 5], 'rows'),
  aloneCase('tanh', [3, 2, 7], 'dense'),
];

const UNARY: readonly [UnaryKind, (x: number) => number, () => number][] = [
  ['exp', Math.exp, () => 4 * random() - 2],
  ['log', Math.log, () => 0.1 + 3 * random()],
  ['sqrt', Math.sqrt, () => 0.1 + 3 * random()],
  ['neg', (x) => -x, () => 4 * random() - 2],
  ['abs', Math.abs, awayFrom([0])],
  ['reciprocal', (x) => 1 / x, () => (0.5 + random()) * (random() < 0.5 ? -1 : 1)],
  ['sign', Math.sign, awayFrom([0])],
  ['floor', Math.floor, awayFrom([-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7])],
  ['ceil', Math.ceil, awayFrom([-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7])],
  ['trunc', Math.trunc, awayFrom([-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7])],
  ['round', Math.round, awayFrom([-6.5, -5.5, -4.5, -3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5])],
  ['erf', erf, () => 6 * random() - 3],
];
const UNARY_CASES: OpCase[] = UNARY.map(([kind, f, make]) => ({
  name: kind,
  inputs: { x: { shape: [2, 3, 3, 5], make } },
  build: (b, { x }) => unary(b, kind, x as Tensor),
  reference: ({ x }) => (x as Float64Array).map(f),
}));

function preluCase(shape: Shape, slopes: number): OpCase {
  const pixels = shape.slice(2).reduce((product, size) => product * size, 1);
  return {
    name: `PReLU of ${shape.join('x')} with ${slopes} slope(s)`,
    inputs: { x: { shape, make: awayFrom([0]) }, slope: { shape: [slopes], layout: 'dense' } },
    build: (b, { x, slope }) => prelu(b, x as Tensor, slope as Tensor),
    reference: ({ x, slope }) =>
      (x as Float64Array).map((value, i) => {
        const channel = Math.floor(i / pixels) % (shape[1] as number);
        return value > 0 ? value : value * (slope?.[slopes === 1 ? 0 : channel] as number);
      }),
  };
}
const PRELU = [
  preluCase([2, 5, 3, 3], 5),
  preluCase([3, 5, 3, 3], 1),
  preluCase([3, 5], 5),
  preluCase([2, 3, 4, 4], 3),
];

interface Host {
  readonly name: string;
  readonly inputs: Readonly<Record<string, OpInput>>;
  build(b: PlanBuilder, t: Readonly<Record<string, Tensor>>, activation: Activation | null): Tensor;
  /** What goes into the activation. */
  reference(values: Readonly<Record<string, Float64Array>>): Float64Array;
}

const wide = () => 6 * random() - 3;
const attributes = (dilation: number, groups: number) => ({
  stride: [1, 1] as const,
  padding: { top: 0, left: 0, bottom: 0, right: 0 },
  dilation: [dilation, dilation] as const,
  groups,
});

/** Convolution of [2, C, 5, 5] by 3 x 1, in the plainest way. */
function convolve(values: Readonly<Record<string, Float64Array>>, channels: number, out: number, dilation: number) {
  const { x = new Float64Array(), weight = new Float64Array(), bias } = values;
  const perGroup = out === channels ? 1 : channels;
  const height = 5 - 2 * dilation;
  return Float64Array.from({ length: 2 * out * height * 5 }, (_, i) => {
    const [column, line] = [i % 5, Math.floor(i / 5) % height];
    const [o, n] = [Math.floor(i / (5 * height)) % out, Math.floor(i / (5 * height * out))];
    let sum = (bias?.[o] ?? 0) + (values.residual?.[i] ?? 0);
    for (let c = 0; c < perGroup; c++) {
      const channel = perGroup === 1 ? o : c;
      for (let k = 0; k < 3; k++) {
        const pixel = x[((n * channels + channel) * 5 + line + k * dilation) * 5 + column] as number;
        sum += pixel * (weight[(o * perGroup + c) * 3 + k] as number);
      }
    }
    return sum;
  });
}

const convolution = (name: string, channels: number, out: number, dilation: number): Host => ({
  name,
  inputs: {
    x: { shape: [2, channels, 5, 5] },
    weight: { shape: [out, out === channels ? 1 : channels, 3, 1], layout: 'dense' },
    bias: { shape: [out], layout: 'dense', make: wide },
    residual: { shape: [2, out, 5 - 2 * dilation, 5], make: wide },
  },
  build: (b, t, kind) =>
    conv2d(b, t.x as Tensor, t.weight as Tensor, attributes(dilation, out === channels ? channels : 1), {
      bias: t.bias as Tensor,
      residual: t.residual as Tensor,
      activation: kind,
    }),
  reference: (values) => convolve(values, channels, out, dilation),
});

const BATCH_NORM: Host = {
  name: 'batch norm',
  inputs: {
    x: { shape: [3, 2, 3, 5] },
    weight: { shape: [2], layout: 'dense', make: wide },
    bias: { shape: [2], layout: 'dense', make: wide },
    mean: { shape: [2], layout: 'dense', constant: true },
    variance: { shape: [2], layout: 'dense', constant: true, make: () => 1 },
  },
  build: (b, t, kind) => {
    const statistics = { runningMean: t.mean as Tensor, runningVariance: t.variance as Tensor };
    const parameters = { weight: t.weight as Tensor, bias: t.bias as Tensor, ...statistics };
    return batchNorm(b, t.x as Tensor, { ...parameters, epsilon: 1e-3, momentum: 0.1 }, 'batch', { activation: kind });
  },
  reference: ({ x = new Float64Array(), weight, bias }) => {
    const channelOf = (i: number) => Math.floor(i / 15) % 2;
    const moments = [0, 1].map((channel) => {
      const own = x.filter((_, i) => channelOf(i) === channel);
      const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
      return { mean, variance: own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length };
    });
    return x.map((value, i) => {
      const { mean = 0, variance = 0 } = moments[channelOf(i)] ?? {};
      const normalised = (value - mean) / Math.sqrt(variance + 1e-3);
      return normalised * (weight?.[channelOf(i)] as number) + (bias?.[channelOf(i)] as number);
    });
  },
};

const HOSTS: readonly Host[] = [
  convolution('convolution', 37, 3, 1),
  convolution('depthwise convolution', 3, 3, 1),
  convolution('dilated depthwise convolution', 3, 3, 2),
  BATCH_NORM,
  {
    name: 'dense layer',
    inputs: {
      x: { shape: [5, 7] },
      weight: { shape: [3, 7], layout: 'dense' },
      bias: { shape: [3], layout: 'dense', make: wide },
    },
    build: (b, t, kind) => dense(b, t.x as Tensor, t.weight as Tensor, { bias: t.bias as Tensor, activation: kind }),
    reference: ({ x, weight, bias }) =>
      Float64Array.from({ length: 15 }, (_, i) => {
        const [n, o] = [Math.floor(i / 3), i % 3];
        const terms = Array.from({ length: 7 }, (_, f) => (x?.[n * 7 + f] as number) * (weight?.[o * 7 + f] as number));
        return terms.reduce((sum, term) => sum + term, bias?.[o] as number);
      }),
  },
  {
    name: 'sum',
    inputs: { x: { shape: [2, 3, 3, 5], make: wide }, y: { shape: [2, 3, 3, 5], make: wide } },
    build: (b, t, kind) => add(b, t.x as Tensor, t.y as Tensor, { activation: kind }),
    reference: ({ x, y }) => (x as Float64Array).map((value, i) => value + (y?.[i] as number)),
  },
  {
    name: 'product with a scale per image and channel',
    inputs: { x: { shape: [2, 3, 3, 5], make: wide }, y: { shape: [2, 3, 1, 1] } },
    build: (b, t, kind) => binary(b, 'mul', t.x as Tensor, t.y as Tensor, { activation: kind }),
    reference: ({ x, y }) => (x as Float64Array).map((value, i) => value * (y?.[Math.floor(i / 15)] as number)),
  },
];

/** One that is a clamp, one told from its output, one that needs its input. */
const FUSED: readonly Activation[] = [{ kind: 'clip', min: -0.5, max: 1.25 }, { kind: 'elu', alpha: 0.7 }, 'silu'];

function fusedCase(host: Host, kind: Activation, mode: 'training' | 'inference'): OpCase {
  const inputs = Object.entries(host.inputs).map(([name, input]): [string, OpInput] => [
    name,
    mode === 'inference' ? { ...input, constant: true } : input,
  ]);
  const { f } = activationReference(kind);
  return {
    name: `${host.name} and ${show(kind)} in ${mode}`,
    inputs: Object.fromEntries(inputs),
    build: (b, t) => host.build(b, t, kind),
    reference: (values) => host.reference(values).map(f),
  };
}

describe(`activations, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());
  const first = () => (opened.families[0] as FamilyEngine).engine;
  const onEachFamily = (op: OpCase): void => {
    test(op.name, async (t) => {
      if (opened.skipped) t.diagnostic(opened.skipped);
      for (const { engine, family } of opened.families)
        await checkOp(engine, { ...op, name: `${op.name}, ${family}` }, random);
    });
  };
  async function evaluate(values: readonly number[], build: (b: PlanBuilder, x: Tensor) => Tensor) {
    const b = new PlanBuilder(first());
    const x = b.input('x', [values.length], { layout: 'dense', requiresGradient: true });
    const y = build(b, x);
    b.output('y', y);
    b.output('dx', b.backward(y).get(x) as Tensor);
    const plan = await b.compile({ poison: true });
    const outputs = await plan.run({ x: Float32Array.from(values) })();
    plan.dispose();
    return outputs as { y: Float32Array; dx: Float32Array };
  }

  for (const op of [...ALONE, ...UNARY_CASES])
    test(op.name, async () => {
      await checkOp(first(), op, random);
    });
  for (const op of PRELU) onEachFamily(op);
  for (const host of HOSTS) {
    for (const kind of FUSED) onEachFamily(fusedCase(host, kind, 'training'));
    // The others are fused in training already.
    onEachFamily(fusedCase(host, 'silu', 'inference'));
  }

  test('an activation costs no dispatch where it can be fused', () => {
    const count = (host: Host, kind: Activation | null, trains: boolean): number => {
      const b = new PlanBuilder(first());
      const tensors = Object.entries(host.inputs).map(([name, { shape, layout = 'rows' }]): [string, Tensor] => [
        name,
        b.input(name, shape, { layout, requiresGradient: trains }),
      ]);
      let dispatches = 0;
      const dispatch = b.dispatch.bind(b);
      b.dispatch = (each) => {
        dispatches++;
        dispatch(each);
      };
      host.build(b, Object.fromEntries(tensors), kind);
      return dispatches;
    };
    for (const host of HOSTS) {
      const plain = count(host, null, false);
      for (const kind of ACTIVATIONS) assert.equal(count(host, kind, false), plain, `${host.name}, ${show(kind)}`);
      assert.equal(count(host, 'sigmoid', true), plain, host.name);
      assert.equal(count(host, 'silu', true), host === BATCH_NORM ? plain : plain + 1, host.name);
    }
  });

  // mpmath with 25 digits: x Phi(x), its tanh form, x sigmoid(x), x tanh(ln(1 + exp(x))) and ln(1 + exp(x)).
  test('GELU, SiLU, mish, softplus and hard-swish have the values of their definitions in 25 digits', async () => {
    const xs = [-3, -1, -0.5, 0.5, 1, 2, 3];
    const expected: [Activation, number[]][] = [
      ['gelu', [-0.004049694095, -0.1586552539, -0.1542687694, 0.3457312306, 0.8413447461, 1.954499736, 2.995950306]],
      [
        'geluTanh',
        [-0.003637392082, -0.1588080094, -0.1542859902, 0.3457140098, 0.8411919906, 1.954597694, 2.996362608],
      ],
      ['silu', [-0.1422776195, -0.2689414214, -0.1887703344, 0.3112296656, 0.7310585786, 1.761594156, 2.85772238]],
      ['mish', [-0.1456474613, -0.3034014614, -0.2207437747, 0.3752452113, 0.8650983883, 1.94395896, 2.986535005]],
      ['softplus', [0.04858735157, 0.3132616875, 0.4740769842, 0.9740769842, 1.313261688, 2.126928011, 3.048587352]],
      ['hardSwish', [0, -1 / 3, -5 / 24, 7 / 24, 2 / 3, 5 / 3, 3]],
    ];
    for (const [kind, values] of expected) {
      const { y } = await evaluate(xs, (b, x) => activation(b, x, kind));
      values.forEach((value, i) => {
        assert.ok(Math.abs((y[i] as number) - value) < 1e-6, `${show(kind)}(${xs[i]}) = ${y[i]} instead of ${value}`);
      });
    }
  });

  test('erf is within 2e-7 of its series everywhere', async () => {
    const xs = Array.from({ length: 20_001 }, (_, i) => Math.fround((i - 10_000) / 1_500));
    const { y } = await evaluate(xs, (b, x) => unary(b, 'erf', x));
    const worst = xs.reduce((largest, x, i) => Math.max(largest, Math.abs((y[i] as number) - erf(x))), 0);
    assert.ok(worst < 2e-7, `${worst}`);
  });

  test('huge inputs give the limits, with finite gradients', async () => {
    const xs = [-1e30, -1e4, -100, -89, -30, 30, 89, 100, 1e4, 1e30];
    for (const kind of ACTIVATIONS) {
      const { f } = activationReference(kind);
      const { y, dx } = await evaluate(xs, (b, x) => activation(b, x, kind));
      xs.forEach((x, i) => {
        const what = `${show(kind)} at ${x}`;
        // Where the reference overflows, the function is x.
        const limit = Number.isFinite(f(x)) ? f(x) : x;
        const difference = Math.abs((y[i] as number) - limit);
        assert.ok(difference <= 1e-5 * Math.max(1, Math.abs(limit)), `${what}: ${y[i]} instead of ${limit}`);
        assert.ok(Number.isFinite(dx[i]), `${what}: slope ${dx[i]}`);
        if (Math.abs(x) > 100) return;
        const slope = f(x + 0.5) - f(x - 0.5);
        assert.ok(Math.abs((dx[i] as number) - slope) <= 1e-5, `${what}: slope ${dx[i]} instead of ${slope}`);
      });
    }
  });

  test('parameters that make no activation are refused', () => {
    const b = new PlanBuilder(first());
    const x = b.input('x', [1, 1, 2, 2]);
    const wrong: Activation[] = [
      { kind: 'clip', min: 1, max: 0 },
      { kind: 'clip', min: Number.NaN, max: 0 },
      { kind: 'elu', alpha: 0 },
      { kind: 'leakyRelu', slope: Number.NaN },
      { kind: 'hardSigmoid', alpha: Infinity, beta: 0 },
    ];
    for (const kind of wrong) assert.throws(() => activation(b, x, kind), { code: 'INVALID_ARGUMENT' }, show(kind));
  });
});
