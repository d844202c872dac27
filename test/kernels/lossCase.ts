import assert from 'node:assert/strict';
import type { Engine } from '../../src/kernels/engine.js';
import type { ClassificationLoss, Loss } from '../../src/kernels/ops/losses/loss.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { assertClose } from './checkOp.js';

/** The label of a picture that does not count. */
export const IGNORED = 0xffffffff;

export type Values = Readonly<Record<string, readonly number[]>>;
/** A loss over named inputs: `logits` [N, C]; `labels` u32 [N]; `targets` [N, C]; all others dense. */
export interface LossCase {
  readonly name: string;
  readonly batch: number;
  readonly classes: number;
  readonly values: Values;
  build(b: PlanBuilder, t: Readonly<Record<string, Tensor>>): Loss | ClassificationLoss;
  /** In float64: each picture's loss with weights, its share in the denominator, and whether it is right. */
  reference(logits: readonly number[], n: number, values: Values): { loss: number; share: number; hit?: boolean };
}

/** Runs the loss and its gradient times `scale`; every output is poisoned before it is written. */
export async function runLoss(
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

/** Holds losses and gradients to the float64 reference and its central differences. */
export async function checkLoss(engine: Engine, given: LossCase): Promise<void> {
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
  const outputs = await runLoss(engine, op, 3);
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

export const uniformFrom =
  (random: () => number) =>
  (count: number, low = 0, high = 1): number[] =>
    Array.from({ length: count }, () => low + (high - low) * random());

/** The optional tensors that all losses take, where the case has them. */
export const lossOptions = (t: Readonly<Record<string, Tensor>>) => ({
  classWeights: t.classWeights,
  sampleWeights: t.sampleWeights,
  denominator: t.denominator,
});

/**
 * Loss and gradient that PyTorch 2.2.2 gives in float64 for the logits of `published` [4, 3].
 */
export const published = {
  logits: Array.from({ length: 12 }, (_, i) => ((i * 7) % 11) / 3 - 1.5),
  labels: [2, 0, IGNORED, 1],
  weights: [0.5, 2, 1.25],
  probabilities: [0.7, 0.2, 0.1, 0, 1, 0, 0.25, 0.25, 0.5, 0.1, 0.3, 0.6],
  hard: [1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0, 1],
};

export interface PublishedLoss {
  readonly name: string;
  readonly values: Values;
  readonly loss: number;
  readonly gradient: readonly number[];
  build(b: PlanBuilder, t: Readonly<Record<string, Tensor>>): Loss;
}

export async function checkPublished(
  engine: Engine,
  { name, values, loss, gradient, ...op }: PublishedLoss,
): Promise<void> {
  const given = { logits: published.logits, ...values };
  const outputs = await runLoss(engine, { ...op, batch: 4, classes: 3, values: given });
  assertClose(outputs.loss as Float32Array, [loss], `${name}: loss`, 1e-6);
  assertClose(outputs.gradient as Float32Array, gradient, `${name}: gradient`, 1e-6);
}

/** Losses and gradients of a plan in float16 next to those of float32. */
export async function checkHalf(engine: Engine, op: LossCase): Promise<void> {
  const single = await runLoss(engine, op);
  const half = await runLoss(engine, op, 1, true);
  for (const name of ['loss', 'perSample', 'gradient']) {
    assertClose(half[name] as Float32Array, single[name] as Float32Array, `${op.name}: ${name}`, 4e-3);
  }
}
