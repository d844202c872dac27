import { type Float32Uniform, f32, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import binaryCrossEntropySource from './binaryCrossEntropy.wgsl.js';
import { checkGamma } from './crossEntropy.js';
import lossSource from './elementLoss.wgsl.js';
import gradientSource from './elementLossGradient.wgsl.js';
import huberSource from './huber.wgsl.js';
import {
  type ClassificationLoss,
  checkDense,
  checkLogits,
  type Loss,
  type LossOptions,
  lossGrids,
  orAny,
  reduceLoss,
} from './loss.js';
import sigmoidFocalSource from './sigmoidFocal.wgsl.js';

export interface ElementLossOptions extends LossOptions {
  /** Factor of each output's loss, dense float [C]; not part of the denominator. */
  readonly classWeights?: Tensor | null;
}

export interface BinaryCrossEntropyOptions extends ElementLossOptions {
  /** Factor of the positive term of each class, dense float [C]: above 1 asks for recall. */
  readonly positiveWeights?: Tensor | null;
}

export interface SigmoidFocalOptions extends ElementLossOptions {
  /** The exponent that plays down what is classified well, at least 0; 2 in the paper. */
  readonly gamma: number;
  /** Weight of positives, 1 - alpha that of negatives; 0.25 in the paper. Null weighs both alike. */
  readonly alpha: number | null;
}

/** A loss of single elements: its WGSL functions `elementLoss` and `elementSlope` of (x, target, positive weight). */
interface ElementKind {
  readonly name: string;
  readonly source: string;
  readonly uniforms: readonly [Float32Uniform, Float32Uniform];
}

const NO_UNIFORMS = [f32(0), f32(0)] as const;

/**
 * Binary cross-entropy of logits [N, C] and targets [N, C] between 0 and 1, both in `rows`: several labels may hold at once.
 * PyTorch's `binary_cross_entropy_with_logits`: the mean is over pictures and classes. `correct` counts the
 * pictures all of whose classes lie on the target's side of 1/2.
 */
export function binaryCrossEntropy(
  b: PlanBuilder,
  logits: Tensor,
  targets: Tensor,
  options: BinaryCrossEntropyOptions = {},
): ClassificationLoss {
  const kind = { name: 'binary cross-entropy', source: binaryCrossEntropySource, uniforms: NO_UNIFORMS };
  return elementLoss(b, logits, targets, kind, options);
}

/**
 * Focal loss of independent classes (Lin et al. 2017, equation 5): binary cross-entropy times alpha_t (1 - p_t)^gamma, with
 * logits, targets and mean as in `binaryCrossEntropy`. The paper's normaliser, the number of positives, can be
 * given as the denominator, times C.
 */
export function sigmoidFocalLoss(
  b: PlanBuilder,
  logits: Tensor,
  targets: Tensor,
  { gamma, alpha, ...options }: SigmoidFocalOptions,
): ClassificationLoss {
  checkGamma(gamma);
  if (alpha !== null && !(alpha >= 0 && alpha <= 1)) {
    throw new EngineError('INVALID_ARGUMENT', `Alpha of a focal loss lies between 0 and 1 or is null; got ${alpha}.`);
  }
  const uniforms = [f32(gamma), f32(alpha ?? -1)] as const;
  return elementLoss(b, logits, targets, { name: 'sigmoid focal loss', source: sigmoidFocalSource, uniforms }, options);
}

/** Mean of (x - target)^2 over pictures and outputs; x and targets [N, C] in `rows`. */
export function meanSquaredError(b: PlanBuilder, x: Tensor, targets: Tensor, options: ElementLossOptions = {}): Loss {
  // Huber's loss of an infinite delta, twice.
  const kind = { name: 'mean squared error', source: huberSource, uniforms: [f32(3e38), f32(2)] as const };
  return regression(elementLoss(b, x, targets, kind, options));
}

/** Huber 1964: d^2 / 2 where |d| is at most `delta`, else delta (|d| - delta / 2); d = x - target, mean as in `meanSquaredError`. */
export function huberLoss(
  b: PlanBuilder,
  x: Tensor,
  targets: Tensor,
  { delta, ...options }: ElementLossOptions & { readonly delta: number },
): Loss {
  if (!(delta > 0 && Number.isFinite(delta))) {
    throw new EngineError('INVALID_ARGUMENT', `Delta of Huber's loss is above 0; got ${delta}.`);
  }
  const kind = { name: "Huber's loss", source: huberSource, uniforms: [f32(delta), f32(1)] as const };
  return regression(elementLoss(b, x, targets, kind, options));
}

/** Which side of 1/2 a number lies on means nothing in a regression. */
const regression = ({ loss, perSample }: ClassificationLoss): Loss => ({ loss, perSample });

const CLASS_WEIGHTS = 1;
const POSITIVE_WEIGHTS = 2;
const SAMPLE_WEIGHTS = 4;

function elementLoss(
  b: PlanBuilder,
  logits: Tensor,
  targets: Tensor,
  { name, source, uniforms: own }: ElementKind,
  options: BinaryCrossEntropyOptions,
): ClassificationLoss {
  const { batch, classes } = checkLogits(logits, options, name);
  const { classWeights, positiveWeights, sampleWeights } = options;
  checkDense(classWeights, [classes], `${name}: weights of classes`);
  checkDense(positiveWeights, [classes], `${name}: weights of positives`);
  if (targets.shape.join() !== logits.shape.join() || targets.layout !== 'rows' || targets.dtype === 'u32') {
    throw new EngineError(
      'INVALID_SHAPE',
      `${name} takes targets as its logits, [${logits.shape.join(', ')}] floats in rows; got ${targets.layout} ${targets.dtype} [${targets.shape.join(', ')}].`,
    );
  }
  const perSample = b.temporary('losses', [batch], { layout: 'dense' });
  const counts = b.temporary('loss counts', [batch, 2], { layout: 'dense' });
  const flags =
    (classWeights ? CLASS_WEIGHTS : 0) |
    (positiveWeights ? POSITIVE_WEIGHTS : 0) |
    (sampleWeights ? SAMPLE_WEIGHTS : 0);
  const uniforms = [classes, batch, rowLayout(logits.shape).stride, flags, ...own];
  const grids = lossGrids(b, batch, classes);
  const given = [
    read(logits),
    read(targets),
    orAny(classWeights, logits),
    orAny(positiveWeights, logits),
    orAny(sampleWeights, logits),
  ];
  b.dispatch({
    label: name,
    program: { label: name, code: lossSource + source, constants: grids.constants },
    bindings: [...given, write(perSample), write(counts)],
    uniforms,
    workgroups: grids.forward,
  });
  const { loss, correct, factor } = reduceLoss(b, perSample, counts, options.denominator);
  b.differentiable([logits], loss, (upstream) => {
    const gradient = b.temporary(`d ${logits.label}`, logits.shape, { dtype: logits.dtype });
    b.dispatch({
      label: `${name} gradient`,
      program: { label: `${name} gradient`, code: gradientSource + source },
      bindings: [...given, read(factor), read(upstream), write(gradient)],
      uniforms,
      workgroups: grids.backward,
    });
    return [gradient];
  });
  return { loss, correct, perSample };
}
