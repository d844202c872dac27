import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import {
  binaryCrossEntropy,
  huberLoss,
  meanSquaredError,
  sigmoidFocalLoss,
} from '../../src/kernels/ops/losses/elementLoss.js';
import type { Loss } from '../../src/kernels/ops/losses/loss.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { type FamilyEngine, openFamilies } from './engines.js';
import {
  checkHalf,
  checkLoss,
  checkPublished,
  type LossCase,
  lossOptions,
  type PublishedLoss,
  published,
  uniformFrom,
  type Values,
} from './lossCase.js';

const seed = freshSeed();
const random = seeded(seed);
const uniform = uniformFrom(random);

type ElementOptions = { readonly weighted?: boolean; readonly sampled?: boolean; readonly denominator?: number };

/** The mean over classes of a loss of single elements. */
function elementCase(
  name: string,
  [batch, classes]: readonly [number, number],
  targets: readonly number[],
  element: (x: number, t: number, c: number, values: Values) => number,
  build: (b: PlanBuilder, t: Readonly<Record<string, Tensor>>) => Loss,
  { weighted, sampled, denominator }: ElementOptions = {},
  more: Values = {},
  scale = 4,
): LossCase {
  const sampleWeights = uniform(batch, 0.2, 2);
  if (batch > 2) sampleWeights[1] = 0;
  return {
    name: `${name}, ${batch} x ${classes}${weighted ? ', weights of classes' : ''}${sampled ? ', weights of pictures' : ''}${denominator ? ', denominator' : ''}, logits to ${scale}`,
    batch,
    classes,
    values: {
      logits: uniform(batch * classes, -scale, scale),
      targets,
      ...(weighted ? { classWeights: uniform(classes, 0.2, 3) } : {}),
      ...(sampled ? { sampleWeights } : {}),
      ...(denominator ? { denominator: [denominator] } : {}),
      ...more,
    },
    build,
    reference: (x, n, values) => {
      const weight = values.sampleWeights?.[n] ?? 1;
      const t = values.targets?.slice(n * classes, (n + 1) * classes) as readonly number[];
      const sum = x.reduce(
        (total, value, c) => total + (values.classWeights?.[c] ?? 1) * element(value, t[c] as number, c, values),
        0,
      );
      const hit = weight !== 0 && x.every((value, c) => value > 0 === (t[c] as number) > 0.5);
      return { loss: (weight * sum) / classes, share: weight, hit };
    },
  };
}

const sigmoid = (x: number) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const hardTargets = (count: number) => uniform(count).map(Math.round);
function binaryCase(size: readonly [number, number], flags: ElementOptions, positive: boolean, scale = 4): LossCase {
  return elementCase(
    `binary cross-entropy${positive ? ', weights of positives' : ''}`,
    size,
    // Half of them smoothed.
    hardTargets(elementCount(size)).map((t, i) => (i % 2 ? t : 0.1 + 0.8 * t)),
    (x, t, c, { positiveWeights }) => (positiveWeights?.[c] ?? 1) * t * softplus(-x) + (1 - t) * softplus(x),
    (b, t) =>
      binaryCrossEntropy(b, t.logits as Tensor, t.targets as Tensor, {
        ...lossOptions(t),
        positiveWeights: t.positiveWeights,
      }),
    flags,
    positive ? { positiveWeights: uniform(size[1], 0.3, 4) } : {},
    scale,
  );
}

/** torchvision.ops.sigmoid_focal_loss's definition, reduction 'mean'. */
function sigmoidFocalCase(gamma: number, alpha: number | null, soft: boolean, scale = 4): LossCase {
  const size = [7, 5] as const;
  return elementCase(
    `sigmoid focal loss, gamma ${gamma}, alpha ${alpha}${soft ? ', soft targets' : ''}`,
    size,
    soft ? uniform(35) : hardTargets(35),
    (x, t) => {
      const p = sigmoid(x);
      const miss = sigmoid(-x) * t + p * (1 - t);
      const loss = t * softplus(-x) + (1 - t) * softplus(x);
      return (alpha === null ? 1 : alpha * t + (1 - alpha) * (1 - t)) * miss ** gamma * loss;
    },
    (b, t) => sigmoidFocalLoss(b, t.logits as Tensor, t.targets as Tensor, { ...lossOptions(t), gamma, alpha }),
    {},
    {},
    scale,
  );
}

const CASES: LossCase[] = [
  binaryCase([5, 7], {}, false),
  binaryCase([9, 3], { weighted: true, sampled: true }, true),
  binaryCase([3, 70], { denominator: 11 }, true, 200),
  sigmoidFocalCase(2, 0.25, false),
  sigmoidFocalCase(0, null, false),
  sigmoidFocalCase(1.5, 0.75, true),
  sigmoidFocalCase(0.5, null, false, 120),
  elementCase(
    'mean squared error',
    [6, 3],
    uniform(18, -3, 3),
    (x, t) => (x - t) ** 2,
    (b, t) => meanSquaredError(b, t.logits as Tensor, t.targets as Tensor, lossOptions(t)),
    { weighted: true, sampled: true },
  ),
  ...[0.7, 2].map((delta) =>
    elementCase(
      `Huber's loss, delta ${delta}`,
      [5, 9],
      uniform(45, -3, 3),
      (x, t) => {
        const d = Math.abs(x - t);
        return d <= delta ? (d * d) / 2 : delta * (d - delta / 2);
      },
      (b, t) => huberLoss(b, t.logits as Tensor, t.targets as Tensor, { ...lossOptions(t), delta }),
      { denominator: 3 },
    ),
  ),
];

const HALF = [binaryCase([9, 3], { weighted: true, sampled: true }, true), sigmoidFocalCase(2, 0.25, false)];

/** torch.nn.functional's binary_cross_entropy_with_logits, mse_loss and huber_loss. */
const PUBLISHED: readonly PublishedLoss[] = [
  {
    name: 'binary cross-entropy, weights of positives',
    values: { targets: published.hard, positiveWeights: published.weights },
    loss: 1.123933491,
    gradient: [
      -0.034065603, 0.058088274, -0.064839514, 0.071846529, 0.051871611, -0.072610342, -0.007601063, -0.076404919,
      0.019788169, 0.063545164, 0.03820246, -0.085164008,
    ],
    build: (b, t) =>
      binaryCrossEntropy(b, t.logits as Tensor, t.targets as Tensor, { positiveWeights: t.positiveWeights }),
  },
  {
    name: 'mean squared error',
    values: { targets: published.probabilities },
    loss: 1.668287037,
    gradient: [
      -0.366666667, 0.105555556, -0.1, 0.305555556, -0.083333333, -0.138888889, 0.208333333, -0.013888889, -0.277777778,
      0.177777778, -0.077777778, -0.35,
    ],
    build: (b, t) => meanSquaredError(b, t.logits as Tensor, t.targets as Tensor),
  },
  {
    name: "Huber's loss, delta 0.8",
    values: { targets: published.probabilities },
    loss: 0.594826389,
    gradient: [
      -0.066666667, 0.052777778, -0.05, 0.066666667, -0.041666667, -0.066666667, 0.066666667, -0.006944444,
      -0.066666667, 0.066666667, -0.038888889, -0.066666667,
    ],
    build: (b, t) => huberLoss(b, t.logits as Tensor, t.targets as Tensor, { delta: 0.8 }),
  },
];

describe(`losses of single elements, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  let families: FamilyEngine[];
  before(async () => {
    opened = await openFamilies();
    families = opened.families;
  });
  after(() => opened.close());

  for (const op of CASES) {
    test(`${op.name}: values and central differences`, async () => {
      for (const { engine } of families) await checkLoss(engine, op);
    });
  }

  for (const op of PUBLISHED) {
    test(`as PyTorch: ${op.name}`, async () => {
      for (const { engine } of families) await checkPublished(engine, op);
    });
  }

  test('a plan in float16 gives the losses and gradients of float32', async (t) => {
    const { engine } = families[0] as FamilyEngine;
    if (!engine.device.features.has('shader-f16')) return t.skip('the adapter has no shader-f16');
    for (const op of HALF) await checkHalf(engine, op);
  });

  test('shapes and constants that make no sense are refused', () => {
    const b = new PlanBuilder((families[0] as FamilyEngine).engine);
    const logits = b.input('logits', [4, 3]);
    const labels = b.input('labels', [4], { dtype: 'u32', layout: 'dense' });
    const targets = b.input('targets', [4, 3]);
    const four = b.input('four', [4], { layout: 'dense' });
    for (const build of [
      () => binaryCrossEntropy(b, logits, labels),
      () => binaryCrossEntropy(b, logits, targets, { positiveWeights: four }),
      () => sigmoidFocalLoss(b, logits, targets, { gamma: 2, alpha: 2 }),
      () => meanSquaredError(b, logits, targets, { sampleWeights: labels }),
      () => huberLoss(b, logits, targets, { delta: 0 }),
    ]) {
      assert.throws(build, EngineError);
    }
  });
});
