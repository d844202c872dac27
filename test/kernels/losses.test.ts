import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { EngineError } from '../../src/kernels/errors.js';
import { softmaxCrossEntropy, softmaxFocalLoss } from '../../src/kernels/ops/losses/crossEntropy.js';
import {
  binaryCrossEntropy,
  huberLoss,
  meanSquaredError,
  sigmoidFocalLoss,
} from '../../src/kernels/ops/losses/elementLoss.js';
import type { ClassificationLoss, Loss } from '../../src/kernels/ops/losses/loss.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { assertClose } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);
const IGNORED = 0xffffffff;

type Values = Readonly<Record<string, readonly number[]>>;
/** A loss over named inputs: `logits` [N, C]; `labels` u32 [N]; `targets` [N, C]; all others dense. */
interface LossCase {
  readonly name: string;
  readonly batch: number;
  readonly classes: number;
  readonly values: Values;
  build(b: PlanBuilder, t: Readonly<Record<string, Tensor>>): Loss | ClassificationLoss;
  /** In float64: each picture's loss with weights, its share in the denominator, and whether it is right. */
  reference(logits: readonly number[], n: number, values: Values): { loss: number; share: number; hit?: boolean };
}

async function run(
  engine: Engine,
  op: Pick<LossCase, 'batch' | 'classes' | 'values' | 'build'>,
  scale = 1,
  f16 = false,
) {
  const { batch, classes } = op;
  const b = new PlanBuilder(engine, { activationType: f16 ? 'f16' : 'f32' });
  const tensors: Record<string, Tensor> = {};
  for (const [name, values] of Object.entries(op.values)) {
    if (name === 'logits') tensors[name] = b.input(name, [batch, classes], { requiresGradient: true });
    else if (name === 'targets') tensors[name] = b.input(name, [batch, classes]);
    else if (name === 'labels') tensors[name] = b.input(name, [batch], { dtype: 'u32', layout: 'dense' });
    else tensors[name] = b.input(name, [values.length], { layout: 'dense' });
  }
  const parts = op.build(b, tensors);
  const seedTensor = b.input('scale', [1], { layout: 'dense' });
  const gradient = b.backward(parts.loss, seedTensor).get(tensors.logits as Tensor);
  assert.ok(gradient);
  assert.equal(gradient.dtype, f16 ? 'f16' : 'f32');
  for (const [name, tensor] of Object.entries({ ...parts, gradient })) b.output(name, tensor);
  const plan = await b.compile({ poison: true });
  try {
    const given = Object.entries(op.values).map(([name, values]) => [
      name,
      name === 'labels' ? Uint32Array.from(values) : Float32Array.from(values),
    ]);
    const outputs = await plan.run({ ...Object.fromEntries(given), scale: Float32Array.of(scale) })();
    return outputs as Record<string, Float32Array>;
  } finally {
    plan.dispose();
  }
}

/** The case's values in float32, as the engine sees them; labels are integers. */
const rounded = (values: Values): Values =>
  Object.fromEntries(
    Object.entries(values).map(([name, data]) => [name, name === 'labels' ? data : data.map(Math.fround)]),
  );

async function check(engine: Engine, given: LossCase): Promise<void> {
  const op = { ...given, values: rounded(given.values) };
  const { batch, classes, values } = op;
  const { logits = [], denominator } = values;
  const all = (x: readonly number[]) =>
    Array.from({ length: batch }, (_, n) => op.reference(x.slice(n * classes, (n + 1) * classes), n, values));
  const total = (x: readonly number[]) => {
    const pictures = all(x);
    const shares = pictures.reduce((sum, { share }) => sum + share, 0);
    return pictures.reduce((sum, { loss }) => sum + loss, 0) / (denominator?.[0] ?? (shares || 1));
  };
  const outputs = await run(engine, op, 3);
  const expected = all(logits);
  assertClose(
    outputs.perSample as Float32Array,
    expected.map(({ loss }) => loss),
    'losses',
    1e-5,
  );
  assertClose(outputs.loss as Float32Array, [total(logits)], 'mean loss', 1e-5);
  if (outputs.correct) assert.equal(outputs.correct[0], expected.filter(({ hit }) => hit).length, 'right answers');
  const step = 1e-4;
  const differences = logits.map((value, i) => {
    const moved = [...logits];
    moved[i] = value + step;
    const above = total(moved);
    moved[i] = value - step;
    return (3 * (above - total(moved))) / (2 * step);
  });
  assertClose(outputs.gradient as Float32Array, differences, 'gradient, scaled by 3', 1e-5);
}

const uniform = (count: number, low = 0, high = 1) =>
  Array.from({ length: count }, () => low + (high - low) * random());
const argmax = (x: readonly number[]) => x.indexOf(Math.max(...x));

function logSoftmax(x: readonly number[]): number[] {
  const largest = Math.max(...x);
  const logSum = largest + Math.log(x.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return x.map((value) => value - logSum);
}

/** A distribution in each row. */
const mixtures = (batch: number, classes: number) =>
  Array.from({ length: batch }, () => {
    const raw = uniform(classes);
    const sum = raw.reduce((total, value) => total + value, 0);
    return raw.map((value) => value / sum);
  }).flat();

interface CrossEntropyCase {
  readonly batch: number;
  readonly classes: number;
  readonly smoothing?: number;
  readonly scale?: number;
  readonly soft?: boolean;
  readonly weighted?: boolean;
  readonly sampled?: boolean;
  readonly denominator?: number;
}

/** torch.nn.functional.cross_entropy's definition of every option. */
function crossEntropyCase(options: CrossEntropyCase): LossCase {
  const { batch, classes, smoothing = 0, scale = 4, soft = false, weighted, sampled, denominator } = options;
  const labels = uniform(batch, 0, classes).map(Math.floor);
  if (batch > 4) labels[3] = IGNORED;
  const sampleWeights = uniform(batch, 0.2, 2);
  if (batch > 2) sampleWeights[1] = 0;
  return {
    name: `cross-entropy ${JSON.stringify(options)}`,
    batch,
    classes,
    values: {
      logits: uniform(batch * classes, -scale, scale),
      ...(soft ? { targets: mixtures(batch, classes) } : { labels }),
      ...(weighted ? { classWeights: uniform(classes, 0.2, 3) } : {}),
      ...(sampled ? { sampleWeights } : {}),
      ...(denominator ? { denominator: [denominator] } : {}),
    },
    build: (b, t) =>
      softmaxCrossEntropy(b, t.logits as Tensor, (t.targets ?? t.labels) as Tensor, {
        labelSmoothing: smoothing,
        classWeights: t.classWeights,
        sampleWeights: t.sampleWeights,
        denominator: t.denominator,
      }),
    reference: (x, n, values) => {
      const label = values.labels?.[n] ?? 0;
      const weight = values.sampleWeights?.[n] ?? 1;
      if (label === IGNORED || weight === 0) return { loss: 0, share: 0, hit: false };
      const given = values.targets?.slice(n * classes, (n + 1) * classes) ?? x.map((_, c) => (c === label ? 1 : 0));
      const log = logSoftmax(x);
      const loss = given.reduce((sum, target, c) => {
        const q = (values.classWeights?.[c] ?? 1) * ((1 - smoothing) * target + smoothing / classes);
        return sum - q * (log[c] as number);
      }, 0);
      const share = values.labels ? (values.classWeights?.[label] ?? 1) : 1;
      return { loss: weight * loss, share: weight * share, hit: argmax(x) === argmax(given) };
    },
  };
}

function focalCase(batch: number, classes: number, gamma: number, weighted: boolean, scale = 4): LossCase {
  const labels = uniform(batch, 0, classes).map(Math.floor);
  if (batch > 4) labels[3] = IGNORED;
  return {
    name: `softmax focal loss, gamma ${gamma}, ${batch} x ${classes}${weighted ? ', alpha' : ''}, logits to ${scale}`,
    batch,
    classes,
    values: {
      logits: uniform(batch * classes, -scale, scale),
      labels,
      ...(weighted ? { alpha: uniform(classes, 0.1, 1) } : {}),
    },
    build: (b, t) => softmaxFocalLoss(b, t.logits as Tensor, t.labels as Tensor, { gamma, alpha: t.alpha }),
    reference: (x, n, { labels: given, alpha }) => {
      const label = given?.[n] as number;
      if (label === IGNORED) return { loss: 0, share: 0, hit: false };
      const log = logSoftmax(x);
      const others = log.reduce((sum, value, c) => sum + (c === label ? 0 : Math.exp(value)), 0);
      const loss = -(alpha?.[label] ?? 1) * others ** gamma * (log[label] as number);
      return { loss, share: 1, hit: argmax(x) === label };
    },
  };
}

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
const options = (t: Readonly<Record<string, Tensor>>) => ({
  classWeights: t.classWeights,
  sampleWeights: t.sampleWeights,
  denominator: t.denominator,
});

function binaryCase(size: readonly [number, number], flags: ElementOptions, positive: boolean, scale = 4): LossCase {
  return elementCase(
    `binary cross-entropy${positive ? ', weights of positives' : ''}`,
    size,
    // Half of them smoothed.
    hardTargets(elementCount(size)).map((t, i) => (i % 2 ? t : 0.1 + 0.8 * t)),
    (x, t, c, { positiveWeights }) => (positiveWeights?.[c] ?? 1) * t * softplus(-x) + (1 - t) * softplus(x),
    (b, t) =>
      binaryCrossEntropy(b, t.logits as Tensor, t.targets as Tensor, {
        ...options(t),
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
    (b, t) => sigmoidFocalLoss(b, t.logits as Tensor, t.targets as Tensor, { ...options(t), gamma, alpha }),
    {},
    {},
    scale,
  );
}

const CASES: LossCase[] = [
  crossEntropyCase({ batch: 5, classes: 7 }),
  crossEntropyCase({ batch: 1, classes: 2 }),
  crossEntropyCase({ batch: 67, classes: 3, smoothing: 0.1 }),
  // Logits whose exponentials overflow float32 unless the largest is taken off first.
  crossEntropyCase({ batch: 6, classes: 130, smoothing: 0.3, scale: 500 }),
  crossEntropyCase({ batch: 13, classes: 5, weighted: true }),
  crossEntropyCase({ batch: 9, classes: 33, weighted: true, smoothing: 0.2 }),
  crossEntropyCase({ batch: 9, classes: 4, weighted: true, sampled: true, smoothing: 0.1 }),
  crossEntropyCase({ batch: 10, classes: 6, sampled: true, denominator: 40 }),
  crossEntropyCase({ batch: 5, classes: 7, soft: true }),
  crossEntropyCase({ batch: 11, classes: 65, soft: true, weighted: true, smoothing: 0.1 }),
  crossEntropyCase({ batch: 6, classes: 3, soft: true, sampled: true, scale: 300, denominator: 7 }),
  focalCase(7, 5, 2, false),
  focalCase(9, 40, 0.5, true),
  focalCase(6, 3, 0, true),
  focalCase(6, 4, 2, false, 200),
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
    (b, t) => meanSquaredError(b, t.logits as Tensor, t.targets as Tensor, options(t)),
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
      (b, t) => huberLoss(b, t.logits as Tensor, t.targets as Tensor, { ...options(t), delta }),
      { denominator: 3 },
    ),
  ),
];

/**
 * Loss and gradient that PyTorch 2.2.2 gives in float64 (functional.cross_entropy, binary_cross_entropy_with_logits, mse_loss,
 * huber_loss), for the logits of `published` [4, 3].
 */
const published = {
  logits: Array.from({ length: 12 }, (_, i) => ((i * 7) % 11) / 3 - 1.5),
  labels: [2, 0, IGNORED, 1],
  weights: [0.5, 2, 1.25],
  probabilities: [0.7, 0.2, 0.1, 0, 1, 0, 0.25, 0.25, 0.5, 0.1, 0.3, 0.6],
  hard: [1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0, 1],
};

const PUBLISHED: readonly {
  readonly name: string;
  readonly values: Values;
  readonly loss: number;
  readonly gradient: readonly number[];
  build(b: PlanBuilder, t: Readonly<Record<string, Tensor>>): Loss;
}[] = [
  {
    name: 'cross-entropy of labels, one ignored, weights of classes, label smoothing 0.1',
    values: { labels: published.labels, classWeights: published.weights },
    loss: 1.466147874,
    gradient: [
      0.019313253, 0.227217741, -0.246530994, -0.009422641, 0.01254164, -0.003118999, 0, 0, 0, 0.380628549,
      -0.396273639, 0.015645089,
    ],
    build: (b, t) =>
      softmaxCrossEntropy(b, t.logits as Tensor, t.labels as Tensor, { ...options(t), labelSmoothing: 0.1 }),
  },
  {
    name: 'cross-entropy of probabilities, weights of classes, label smoothing 0.1',
    values: { targets: published.probabilities, classWeights: published.weights },
    loss: 2.547842946,
    gradient: [
      -0.066657492, 0.061002141, 0.005655351, 0.356839265, -0.371506536, 0.014667271, 0.202127769, -0.067374374,
      -0.134753395, 0.244320069, -0.083200807, -0.161119262,
    ],
    build: (b, t) =>
      softmaxCrossEntropy(b, t.logits as Tensor, t.targets as Tensor, { ...options(t), labelSmoothing: 0.1 }),
  },
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

describe(`losses, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  let families: FamilyEngine[];
  before(async () => {
    opened = await openFamilies();
    families = opened.families;
  });
  after(() => opened.close());

  for (const op of CASES) {
    test(`${op.name}: values and central differences`, async () => {
      for (const { engine } of families) await check(engine, op);
    });
  }

  for (const { name, values, loss, gradient, ...op } of PUBLISHED) {
    test(`as PyTorch: ${name}`, async () => {
      for (const { engine } of families) {
        const given = { logits: published.logits, ...values };
        const outputs = await run(engine, { ...op, batch: 4, classes: 3, values: given });
        assertClose(outputs.loss as Float32Array, [loss], 'loss', 1e-6);
        assertClose(outputs.gradient as Float32Array, gradient, 'gradient', 1e-6);
      }
    });
  }

  test('a plan in float16 gives the losses and gradients of its rounded logits', async (t) => {
    const { engine } = families[0] as FamilyEngine;
    if (!engine.device.features.has('shader-f16')) return t.skip('the adapter has no shader-f16');
    for (const op of [
      crossEntropyCase({ batch: 9, classes: 33, weighted: true, smoothing: 0.2 }),
      crossEntropyCase({ batch: 6, classes: 3, soft: true, sampled: true }),
      focalCase(7, 5, 2, true),
      binaryCase([9, 3], { weighted: true, sampled: true }, true),
    ]) {
      const single = await run(engine, op);
      const half = await run(engine, op, 1, true);
      for (const name of ['loss', 'perSample', 'gradient']) {
        assertClose(half[name] as Float32Array, single[name] as Float32Array, `${op.name}: ${name}`, 4e-3);
      }
    }
  });

  test('parts of a batch with the denominator of the whole add up to it, losses and gradients', async () => {
    const { engine } = families[0] as FamilyEngine;
    const whole = crossEntropyCase({ batch: 12, classes: 5, weighted: true, smoothing: 0.1 });
    const { logits = [], labels = [], classWeights = [] } = whole.values;
    const weights = labels.reduce((sum, label) => sum + (classWeights[label] ?? 0), 0);
    const atOnce = await run(engine, whole);
    let loss = 0;
    const gradient: number[] = [];
    for (const [from, to] of [
      [0, 5],
      [5, 12],
    ] as const) {
      const part = { logits: logits.slice(5 * from, 5 * to), labels: labels.slice(from, to), denominator: [weights] };
      const outputs = await run(engine, { ...whole, batch: to - from, values: { ...whole.values, ...part } });
      loss += outputs.loss?.[0] as number;
      gradient.push(...(outputs.gradient as Float32Array));
    }
    assertClose([loss], atOnce.loss as Float32Array, 'loss', 1e-6);
    assertClose(gradient, atOnce.gradient as Float32Array, 'gradient', 1e-6);
  });

  test('a batch in which nothing counts has loss 0 and no gradient', async () => {
    for (const { engine } of families) {
      const op = crossEntropyCase({ batch: 2, classes: 3 });
      const outputs = await run(engine, { ...op, values: { ...op.values, labels: [IGNORED, IGNORED] } });
      assert.deepEqual([...(outputs.loss as Float32Array), ...(outputs.perSample as Float32Array)], [0, 0, 0]);
      assert.ok((outputs.gradient as Float32Array).every((value) => value === 0));
    }
  });

  test('a loss near 0 keeps its digits', async () => {
    // log(1 + e^-20) = 2.0611536e-9: below the resolution of 1 in float32.
    const expected = Math.log1p(Math.exp(-20));
    for (const { engine } of families) {
      const { perSample = [] } = await run(engine, {
        batch: 2,
        classes: 2,
        values: { logits: [1000, 980, 10, -10], labels: [0, 0] },
        build: (b, t) => softmaxCrossEntropy(b, t.logits as Tensor, t.labels as Tensor),
      });
      for (const loss of perSample) assert.ok(Math.abs(loss - expected) < 1e-5 * expected, `${loss}`);
    }
  });

  test('of equal logits the first class is the answer', async () => {
    for (const { engine } of families) {
      const { correct } = await run(engine, {
        batch: 3,
        classes: 40,
        values: {
          logits: Array.from({ length: 120 }, (_, i) => (i % 40 === 7 || i % 40 === 38 ? 1 : 0)),
          labels: [7, 38, 0],
        },
        build: (b, t) => softmaxCrossEntropy(b, t.logits as Tensor, t.labels as Tensor),
      });
      assert.equal(correct?.[0], 1);
    }
  });

  test('shapes and constants that make no sense are refused', () => {
    const b = new PlanBuilder((families[0] as FamilyEngine).engine);
    const logits = b.input('logits', [4, 3]);
    const labels = b.input('labels', [4], { dtype: 'u32', layout: 'dense' });
    const targets = b.input('targets', [4, 3]);
    const four = b.input('four', [4], { layout: 'dense' });
    for (const build of [
      () => softmaxCrossEntropy(b, logits, four),
      () => softmaxCrossEntropy(b, logits, labels, { labelSmoothing: 1.5 }),
      () => softmaxCrossEntropy(b, logits, labels, { classWeights: four }),
      () => softmaxCrossEntropy(b, logits, labels, { denominator: four }),
      () => softmaxFocalLoss(b, logits, targets, { gamma: 2 }),
      () => softmaxFocalLoss(b, logits, labels, { gamma: -1 }),
      () => binaryCrossEntropy(b, logits, labels),
      () => sigmoidFocalLoss(b, logits, targets, { gamma: 2, alpha: 2 }),
      () => huberLoss(b, logits, targets, { delta: 0 }),
    ]) {
      assert.throws(build, EngineError);
    }
  });
});
