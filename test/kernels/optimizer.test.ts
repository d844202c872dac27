import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { adamUpdate, globalNormScale, sgdUpdate } from '../../src/kernels/ops/optimizer/optimizer.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { assertClose } from './checkOp.js';

const seed = freshSeed();
const random = seeded(seed);
const SHAPE = [3, 5, 7];
const COUNT = 105;
const STEPS = 4;
const fresh = (count = COUNT) => Float32Array.from({ length: count }, () => 2 * random() - 1);

describe(`optimisers, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  /** STEPS updates of one weight on the device; the gradients are given. */
  async function descend(
    build: (b: PlanBuilder, tensors: { weight: never; gradient: never; hyper: never; state: never[] }) => void,
    weights: Float32Array,
    gradients: readonly Float32Array[],
    hyper: (step: number) => number[],
  ): Promise<Float32Array> {
    const weight = engine.upload('weight', SHAPE, weights);
    const state = [engine.createTensor('first', SHAPE), engine.createTensor('second', SHAPE)];
    const b = new PlanBuilder(engine);
    build(b, {
      weight: b.persistent(weight) as never,
      gradient: b.input('gradient', SHAPE, { layout: 'dense' }) as never,
      hyper: b.input('hyper', [8], { layout: 'dense' }) as never,
      state: state.map((tensor) => b.persistent(tensor)) as never[],
    });
    const plan = await b.compile();
    gradients.forEach((gradient, index) => {
      const values = new Float32Array(8);
      values.set(hyper(index + 1));
      void plan.run({ gradient, hyper: values });
    });
    const result = await engine.read(weight);
    plan.dispose();
    for (const tensor of [weight, ...state]) engine.destroyTensor(tensor);
    return result;
  }

  for (const { momentum, nesterov, weightDecay, factor } of [
    { momentum: 0, nesterov: false, weightDecay: 0, factor: 1 },
    { momentum: 0, nesterov: false, weightDecay: 0.05, factor: 0.5 },
    { momentum: 0.9, nesterov: false, weightDecay: 0.01, factor: 1 },
    { momentum: 0.8, nesterov: true, weightDecay: 0.02, factor: 2 },
  ]) {
    test(`sgd, momentum ${momentum}, nesterov ${nesterov}, decay ${weightDecay}, factor ${factor}`, async () => {
      const start = fresh();
      const gradients = Array.from({ length: STEPS }, () => fresh());
      const actual = await descend(
        (b, { weight, gradient, hyper, state }) =>
          sgdUpdate(
            b,
            weight,
            gradient,
            momentum > 0 ? (state[0] as never) : null,
            hyper,
            { momentum, nesterov, weightDecay, learningRateFactor: factor },
            null,
          ),
        start,
        gradients,
        () => [0.1],
      );
      // torch.optim.SGD's documented algorithm, dampening 0.
      const w = Float64Array.from(start);
      const velocity = new Float64Array(COUNT);
      for (const gradient of gradients) {
        for (let i = 0; i < COUNT; i++) {
          const g = (gradient[i] as number) + weightDecay * (w[i] as number);
          velocity[i] = momentum * (velocity[i] as number) + g;
          const direction =
            momentum === 0 ? g : nesterov ? g + momentum * (velocity[i] as number) : (velocity[i] as number);
          w[i] = (w[i] as number) - 0.1 * factor * direction;
        }
      }
      assertClose(actual, w, 'weights', 1e-6);
    });
  }

  for (const { weightDecay, decoupled, factor } of [
    { weightDecay: 0, decoupled: false, factor: 1 },
    { weightDecay: 0.1, decoupled: false, factor: 0.5 },
    { weightDecay: 0.1, decoupled: true, factor: 1 },
  ]) {
    test(`${decoupled ? 'adamw' : 'adam'}, decay ${weightDecay}, factor ${factor}`, async () => {
      const [beta1, beta2, epsilon, rate] = [0.9, 0.999, 1e-8, 0.01];
      const start = fresh();
      const gradients = Array.from({ length: STEPS }, () => fresh());
      const actual = await descend(
        (b, { weight, gradient, hyper, state }) =>
          adamUpdate(
            b,
            weight,
            gradient,
            state[0] as never,
            state[1] as never,
            hyper,
            { beta1, beta2, epsilon, weightDecay, decoupled, learningRateFactor: factor },
            null,
          ),
        start,
        gradients,
        (step) => [rate, 1 - beta1 ** step, 1 - beta2 ** step],
      );
      // Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2 for the decoupled decay.
      const w = Float64Array.from(start);
      const m = new Float64Array(COUNT);
      const v = new Float64Array(COUNT);
      gradients.forEach((gradient, step) => {
        for (let i = 0; i < COUNT; i++) {
          const g = (gradient[i] as number) + (decoupled ? 0 : weightDecay * (w[i] as number));
          if (decoupled) w[i] = (w[i] as number) * (1 - rate * factor * weightDecay);
          m[i] = beta1 * (m[i] as number) + (1 - beta1) * g;
          v[i] = beta2 * (v[i] as number) + (1 - beta2) * g * g;
          const first = (m[i] as number) / (1 - beta1 ** (step + 1));
          const second = (v[i] as number) / (1 - beta2 ** (step + 1));
          w[i] = (w[i] as number) - (rate * factor * first) / (Math.sqrt(second) + epsilon);
        }
      });
      assertClose(actual, w, 'weights', 1e-5);
    });
  }

  for (const maxNorm of [0.5, 1000]) {
    test(`clipping all gradients together to ${maxNorm}`, async () => {
      const sizes = [1, 105, 777];
      const gradients = sizes.map((size) => fresh(size));
      const b = new PlanBuilder(engine);
      const tensors = sizes.map((size, i) => b.input(`g${i}`, [size], { layout: 'dense' }));
      b.output('scale', globalNormScale(b, tensors, maxNorm));
      const plan = await b.compile();
      const { scale } = await plan.run(Object.fromEntries(gradients.map((gradient, i) => [`g${i}`, gradient])))();
      plan.dispose();
      const norm = Math.sqrt(gradients.flatMap((gradient) => [...gradient]).reduce((sum, g) => sum + g * g, 0));
      assert.ok(norm > 1 && norm < 100);
      assertClose(scale as Float32Array, [Math.min(1, maxNorm / (norm + 1e-6))], 'scale', 1e-5);
    });
  }

  test('the scale multiplies the gradient in the update', async () => {
    const start = fresh();
    const gradient = fresh();
    const run = (clip: number | null) =>
      descend(
        (b, { weight, gradient: g, hyper }) =>
          sgdUpdate(
            b,
            weight,
            g,
            null,
            hyper,
            { momentum: 0, nesterov: false, weightDecay: 0, learningRateFactor: 1 },
            clip === null ? null : globalNormScale(b, [g], clip),
          ),
        start,
        [gradient],
        () => [1],
      );
    const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    const clipped = await run(norm / 4);
    assertClose(
      clipped,
      start.map((w, i) => w - (gradient[i] as number) / 4),
      'clipped',
      1e-5,
    );
    assertClose(
      await run(null),
      start.map((w, i) => w - (gradient[i] as number)),
      'unclipped',
      1e-6,
    );
  });
});
