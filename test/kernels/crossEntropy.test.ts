import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { softmaxCrossEntropy } from '../../src/kernels/ops/crossEntropy/crossEntropy.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { assertClose } from './checkOp.js';

const seed = freshSeed();
const random = seeded(seed);
const IGNORED = 0xffffffff;

/** Losses per picture and their mean over the pictures that count, in float64. */
function reference(logits: Float64Array, labels: readonly number[], classes: number, smoothing: number) {
  const losses = labels.map((label, n) => {
    if (label === IGNORED) return 0;
    const row = logits.subarray(n * classes, (n + 1) * classes);
    const largest = Math.max(...row);
    const logSum = largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
    return row.reduce((sum, value, c) => {
      const target = smoothing / classes + (c === label ? 1 - smoothing : 0);
      return sum - target * (value - logSum);
    }, 0);
  });
  const counted = labels.filter((label) => label !== IGNORED).length;
  return { losses, mean: losses.reduce((sum, loss) => sum + loss, 0) / counted };
}

describe(`softmax cross-entropy, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  for (const { batch, classes, smoothing, scale } of [
    { batch: 5, classes: 7, smoothing: 0, scale: 4 },
    { batch: 1, classes: 2, smoothing: 0, scale: 4 },
    { batch: 67, classes: 3, smoothing: 0.1, scale: 4 },
    // Logits whose exponentials overflow float32 unless the largest is taken off first.
    { batch: 6, classes: 130, smoothing: 0.3, scale: 500 },
  ]) {
    test(`batch ${batch}, ${classes} classes, smoothing ${smoothing}, logits to ${scale}`, async () => {
      const logits = Float32Array.from({ length: batch * classes }, () => (2 * random() - 1) * scale);
      const labels = Array.from({ length: batch }, () => Math.floor(random() * classes));
      if (batch > 4) labels[3] = IGNORED;
      const b = new PlanBuilder(engine);
      const x = b.input('logits', [batch, classes], { requiresGradient: true });
      const target = b.input('labels', [batch], { dtype: 'u32', layout: 'dense' });
      const { loss, correct, perSample } = softmaxCrossEntropy(b, x, target, { labelSmoothing: smoothing });
      const gradient = b.backward(loss).get(x);
      assert.ok(gradient);
      b.output('loss', loss);
      b.output('correct', correct);
      b.output('perSample', perSample);
      b.output('gradient', gradient);
      const plan = await b.compile({ poison: true });
      const outputs = await plan.run({ logits, labels: Uint32Array.from(labels) })();
      plan.dispose();
      const exact = Float64Array.from(logits);
      const expected = reference(exact, labels, classes, smoothing);
      assertClose(outputs.perSample as Float32Array, expected.losses, 'losses', 1e-5);
      assertClose(outputs.loss as Float32Array, [expected.mean], 'mean loss', 1e-5);
      const hits = labels.filter((label, n) => {
        const row = [...logits.subarray(n * classes, (n + 1) * classes)];
        return label !== IGNORED && row.indexOf(Math.max(...row)) === label;
      });
      assert.equal(outputs.correct?.[0], hits.length);
      const step = 1e-4;
      const differences = Float64Array.from(exact, (value, i) => {
        exact[i] = value + step;
        const above = reference(exact, labels, classes, smoothing).mean;
        exact[i] = value - step;
        const below = reference(exact, labels, classes, smoothing).mean;
        exact[i] = value;
        return (above - below) / (2 * step);
      });
      assertClose(outputs.gradient as Float32Array, differences, 'gradient', 1e-5);
    });
  }
});
