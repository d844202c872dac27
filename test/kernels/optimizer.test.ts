import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DeviceTensor, Engine } from '../../src/kernels/engine.js';
import { fromHalf, toHalf } from '../../src/kernels/half.js';
import { Optimizer, type OptimizerOptions } from '../../src/kernels/ops/optimizer/optimizer.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { assertClose } from './checkOp.js';

const seed = freshSeed();
const random = seeded(seed);
/** Below a block, exactly one, several and a rest; and a size that is no whole quad. */
const SIZES = { a: 105, b: 256, c: 777, d: 1 } as const;
type Name = keyof typeof SIZES;
const NAMES = Object.keys(SIZES) as Name[];
const STEPS = 4;
const RATE = 0.05;

type Values = Record<Name, Float32Array>;
const fresh = (scale = 1): Values =>
  Object.fromEntries(
    NAMES.map((name) => [name, Float32Array.from({ length: SIZES[name] }, () => scale * (2 * random() - 1))]),
  ) as Values;

const FACTORS: Record<Name, number> = { a: 1, b: 0.5, c: 2, d: 1 };
const DECAYS: Record<Name, number> = { a: 0, b: 0.1, c: 0.02, d: 0 };
const PLAIN = { clipNorm: null, mixedPrecision: false, accumulates: false } as const;

describe(`optimisers, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  const createOptimizer = (options: OptimizerOptions, start: Values): Optimizer => {
    const optimizer = new Optimizer(
      engine,
      NAMES.map((name) => ({
        name,
        shape: [SIZES[name]],
        learningRateFactor: FACTORS[name],
        weightDecay: DECAYS[name],
      })),
      options,
    );
    optimizer.reset(new Map(Object.entries(start)));
    return optimizer;
  };

  const givenGradients = (b: PlanBuilder) =>
    new Map(NAMES.map((name) => [name, b.input(name, [SIZES[name]], { layout: 'dense' })]));

  const readValues = async (optimizer: Optimizer): Promise<Values> => {
    const values: Record<string, Float32Array> = {};
    for (const name of NAMES) values[name] = await engine.read(optimizer.values.get(name) as DeviceTensor);
    return values as Values;
  };

  /** Updates with given gradients, one after the other. */
  async function descend(options: OptimizerOptions, start: Values, gradients: readonly Values[]) {
    const optimizer = createOptimizer(options, start);
    const b = new PlanBuilder(engine);
    optimizer.addGradients(b, givenGradients(b));
    optimizer.addUpdate(b, b.input('learningRate', [1], { layout: 'dense' }));
    const plan = await b.compile();
    for (const gradient of gradients) void plan.run({ ...gradient, learningRate: Float32Array.of(RATE) });
    const values = await readValues(optimizer);
    const skipped = await optimizer.skippedUpdates();
    const lossScale = optimizer.lossScale ? (await engine.read(optimizer.lossScale))[0] : null;
    plan.dispose();
    optimizer.dispose();
    return { values, skipped, lossScale };
  }

  function assertValues(actual: Values, expected: Record<Name, ArrayLike<number>>, tolerance: number): void {
    for (const name of NAMES) assertClose(actual[name], expected[name], name, tolerance);
  }

  /** torch.optim.SGD's documented algorithm, dampening 0. */
  function sgdReference(start: Values, gradients: readonly Values[], momentum: number, nesterov: boolean) {
    return Object.fromEntries(
      NAMES.map((name) => {
        const w = Float64Array.from(start[name]);
        const velocity = new Float64Array(w.length);
        for (const gradient of gradients) {
          for (let i = 0; i < w.length; i++) {
            const g = (gradient[name][i] as number) + DECAYS[name] * (w[i] as number);
            velocity[i] = momentum * (velocity[i] as number) + g;
            const direction = nesterov ? g + momentum * (velocity[i] as number) : (velocity[i] as number);
            w[i] = (w[i] as number) - RATE * FACTORS[name] * direction;
          }
        }
        return [name, w];
      }),
    ) as Record<Name, Float64Array>;
  }

  for (const { momentum, nesterov } of [
    { momentum: 0, nesterov: false },
    { momentum: 0.9, nesterov: false },
    { momentum: 0.8, nesterov: true },
  ]) {
    test(`sgd, momentum ${momentum}, nesterov ${nesterov}; factors and decays of each parameter`, async () => {
      const start = fresh();
      const gradients = Array.from({ length: STEPS }, () => fresh());
      const { values } = await descend({ rule: { kind: 'sgd', momentum, nesterov }, ...PLAIN }, start, gradients);
      assertValues(values, sgdReference(start, gradients, momentum, nesterov), 1e-6);
    });
  }

  /** Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2 for the decoupled decay. */
  function adamReference(start: Values, gradients: readonly Values[], decoupled: boolean) {
    const { beta1, beta2, epsilon } = ADAM;
    return Object.fromEntries(
      NAMES.map((name) => {
        const w = Float64Array.from(start[name]);
        const m = new Float64Array(w.length);
        const v = new Float64Array(w.length);
        const rate = RATE * FACTORS[name];
        gradients.forEach((gradient, step) => {
          for (let i = 0; i < w.length; i++) {
            const g = (gradient[name][i] as number) + (decoupled ? 0 : DECAYS[name] * (w[i] as number));
            if (decoupled) w[i] = (w[i] as number) * (1 - rate * DECAYS[name]);
            m[i] = beta1 * (m[i] as number) + (1 - beta1) * g;
            v[i] = beta2 * (v[i] as number) + (1 - beta2) * g * g;
            const first = (m[i] as number) / (1 - beta1 ** (step + 1));
            const second = (v[i] as number) / (1 - beta2 ** (step + 1));
            w[i] = (w[i] as number) - (rate * first) / (Math.sqrt(second) + epsilon);
          }
        });
        return [name, w];
      }),
    ) as Record<Name, Float64Array>;
  }
  const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

  for (const kind of ['adam', 'adamw'] as const) {
    test(`${kind}; factors and decays of each parameter`, async () => {
      const start = fresh();
      const gradients = Array.from({ length: STEPS }, () => fresh());
      const { values } = await descend({ rule: { kind, ...ADAM }, ...PLAIN }, start, gradients);
      assertValues(values, adamReference(start, gradients, kind === 'adamw'), 1e-5);
    });
  }

  test('the bias correction stays exact over many steps', async () => {
    const start = fresh();
    const gradients = Array.from({ length: 300 }, () => fresh(0.1));
    const { values } = await descend({ rule: { kind: 'adam', ...ADAM }, ...PLAIN }, start, gradients);
    assertValues(values, adamReference(start, gradients, false), 1e-4);
  });

  const normOf = (gradient: Values): number =>
    Math.sqrt(NAMES.flatMap((name) => [...gradient[name]]).reduce((sum, g) => sum + g * g, 0));

  const scaled = (gradient: Values, factor: number): Values =>
    Object.fromEntries(NAMES.map((name) => [name, gradient[name].map((g) => g * factor)])) as Values;

  const SGD = { kind: 'sgd', momentum: 0.9, nesterov: false } as const;

  for (const clipNorm of [0.5, 1000]) {
    test(`clips all gradients together to ${clipNorm}`, async () => {
      const start = fresh();
      const gradients = Array.from({ length: STEPS }, () => fresh());
      assert.ok(gradients.every((gradient) => normOf(gradient) > 1 && normOf(gradient) < 100));
      const { values } = await descend({ ...PLAIN, rule: SGD, clipNorm }, start, gradients);
      const clipped = gradients.map((gradient) => scaled(gradient, Math.min(1, clipNorm / (normOf(gradient) + 1e-6))));
      assertValues(values, sgdReference(start, clipped, SGD.momentum, false), 1e-5);
    });
  }

  for (const clipNorm of [null, 0.5]) {
    test(`mixed precision undoes the loss scale, skips what overflows and halves the scale, clip ${clipNorm}`, async () => {
      const start = fresh();
      const gradients = Array.from({ length: STEPS }, () => fresh());
      const broken = [Number.NaN, Number.POSITIVE_INFINITY].map((value) => {
        const gradient = fresh();
        gradient.c[Math.floor(random() * SIZES.c)] = value;
        return gradient;
      });
      const given = [
        scaled(gradients[0] as Values, 2 ** 16),
        broken[0] as Values,
        scaled(gradients[1] as Values, 2 ** 15),
        broken[1] as Values,
        ...gradients.slice(2).map((gradient) => scaled(gradient, 2 ** 14)),
      ];
      const options = { ...PLAIN, rule: { kind: 'adam', ...ADAM }, clipNorm, mixedPrecision: true } as const;
      const { values, skipped, lossScale } = await descend(options, start, given);
      assert.equal(skipped, 2);
      assert.equal(lossScale, 2 ** 14);
      const clipped = gradients.map((gradient) =>
        scaled(gradient, clipNorm === null ? 1 : Math.min(1, clipNorm / (normOf(gradient) + 1e-6))),
      );
      assertValues(values, adamReference(start, clipped, false), 1e-5);
    });
  }

  test('the loss scale doubles after 2,000 updates that went well', async () => {
    const start = fresh();
    const gradients = Array.from({ length: 2001 }, () => start);
    const { lossScale, skipped } = await descend({ ...PLAIN, rule: SGD, mixedPrecision: true }, start, gradients);
    assert.equal(skipped, 0);
    assert.equal(lossScale, 2 ** 17);
  });

  test('gradients of several parts add up; the first part begins anew', async () => {
    const start = fresh();
    const parts = Array.from({ length: 3 }, () => Array.from({ length: 2 }, () => fresh()));
    const optimizer = createOptimizer({ ...PLAIN, rule: SGD, accumulates: true }, start);
    const b = new PlanBuilder(engine);
    optimizer.addGradients(b, givenGradients(b));
    optimizer.addAccumulation(b, b.input('isFirst', [1], { dtype: 'u32', layout: 'dense' }));
    const backward = await b.compile();
    const u = new PlanBuilder(engine);
    optimizer.addUpdate(u, u.input('learningRate', [1], { layout: 'dense' }));
    const update = await u.compile();
    for (const batch of parts) {
      batch.forEach((gradient, i) => void backward.run({ ...gradient, isFirst: Uint32Array.of(i === 0 ? 1 : 0) }));
      void update.run({ learningRate: Float32Array.of(RATE) });
    }
    const sums = parts.map(
      ([first, second]) =>
        Object.fromEntries(
          NAMES.map((name) => [
            name,
            (first as Values)[name].map((g, i) => g + ((second as Values)[name][i] as number)),
          ]),
        ) as Values,
    );
    assertValues(await readValues(optimizer), sgdReference(start, sums, SGD.momentum, false), 1e-6);
    backward.dispose();
    update.dispose();
    optimizer.dispose();
  });

  test('float16 copies follow the values', async () => {
    const start = fresh();
    const optimizer = createOptimizer({ ...PLAIN, rule: SGD, mixedPrecision: true }, start);
    const b = new PlanBuilder(engine);
    optimizer.addCasts(b);
    const plan = await b.compile();
    await plan.run()();
    for (const name of NAMES) {
      const half = await engine.read(optimizer.halves?.get(name) as DeviceTensor);
      assert.deepEqual(half, fromHalf(toHalf(start[name])));
    }
    plan.dispose();
    optimizer.dispose();
  });

  test('updates of all parameters are a dispatch, two where they carry on state, three with a norm, and free what they took', async () => {
    const before = engine.memory;
    const adam = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
    for (const [rule, clipNorm, dispatches] of [
      [SGD, null, 1],
      [adam, null, 2],
      [SGD, 1, 3],
    ] as const) {
      const optimizer = createOptimizer({ ...PLAIN, rule, clipNorm }, fresh());
      const b = new PlanBuilder(engine);
      optimizer.addUpdate(b, b.input('learningRate', [1], { layout: 'dense' }));
      const plan = await b.compile();
      assert.equal(plan.dispatchCount, dispatches);
      plan.dispose();
      optimizer.dispose();
    }
    assert.deepEqual(engine.memory, before);
  });
});
