import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { softmaxCrossEntropy, softmaxFocalLoss } from '../../src/kernels/ops/losses/crossEntropy.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { assertClose } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';
import {
  checkHalf,
  checkLoss,
  checkPublished,
  IGNORED,
  type LossCase,
  lossOptions,
  type PublishedLoss,
  published,
  runLoss,
  uniformFrom,
} from './lossCase.js';

const seed = freshSeed();
const random = seeded(seed);
const uniform = uniformFrom(random);

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
];

const HALF = [
  crossEntropyCase({ batch: 9, classes: 33, weighted: true, smoothing: 0.2 }),
  crossEntropyCase({ batch: 6, classes: 3, soft: true, sampled: true }),
  focalCase(7, 5, 2, true),
];

/** torch.nn.functional.cross_entropy's. */
const PUBLISHED: readonly PublishedLoss[] = [
  {
    name: 'cross-entropy of labels, one ignored, weights of classes, label smoothing 0.1',
    values: { labels: published.labels, classWeights: published.weights },
    loss: 1.466147874,
    gradient: [
      0.019313253, 0.227217741, -0.246530994, -0.009422641, 0.01254164, -0.003118999, 0, 0, 0, 0.380628549,
      -0.396273639, 0.015645089,
    ],
    build: (b, t) =>
      softmaxCrossEntropy(b, t.logits as Tensor, t.labels as Tensor, { ...lossOptions(t), labelSmoothing: 0.1 }),
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
      softmaxCrossEntropy(b, t.logits as Tensor, t.targets as Tensor, { ...lossOptions(t), labelSmoothing: 0.1 }),
  },
];

describe(`cross-entropy and focal loss of a softmax, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
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

  test('parts of a batch with the denominator of the whole add up to it, losses and gradients', async () => {
    const { engine } = families[0] as FamilyEngine;
    const whole = crossEntropyCase({ batch: 12, classes: 5, weighted: true, smoothing: 0.1 });
    const { logits = [], labels = [], classWeights = [] } = whole.values;
    const weights = labels.reduce((sum, label) => sum + (classWeights[label] ?? 0), 0);
    const atOnce = await runLoss(engine, whole);
    let loss = 0;
    const gradient: number[] = [];
    for (const [from, to] of [
      [0, 5],
      [5, 12],
    ] as const) {
      const part = { logits: logits.slice(5 * from, 5 * to), labels: labels.slice(from, to), denominator: [weights] };
      const outputs = await runLoss(engine, { ...whole, batch: to - from, values: { ...whole.values, ...part } });
      loss += outputs.loss?.[0] as number;
      gradient.push(...(outputs.gradient as Float32Array));
    }
    assertClose([loss], atOnce.loss as Float32Array, 'loss', 1e-6);
    assertClose(gradient, atOnce.gradient as Float32Array, 'gradient', 1e-6);
  });

  test('a batch in which nothing counts has loss 0 and no gradient', async () => {
    for (const { engine } of families) {
      const op = crossEntropyCase({ batch: 2, classes: 3 });
      const outputs = await runLoss(engine, { ...op, values: { ...op.values, labels: [IGNORED, IGNORED] } });
      assert.deepEqual([...(outputs.loss as Float32Array), ...(outputs.perSample as Float32Array)], [0, 0, 0]);
      assert.ok((outputs.gradient as Float32Array).every((value) => value === 0));
    }
  });

  test('a loss near 0 keeps its digits', async () => {
    // log(1 + e^-20) = 2.0611536e-9: below the resolution of 1 in float32.
    const expected = Math.log1p(Math.exp(-20));
    for (const { engine } of families) {
      const { perSample = [] } = await runLoss(engine, {
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
      const { correct } = await runLoss(engine, {
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
    ]) {
      assert.throws(build, EngineError);
    }
  });
});
