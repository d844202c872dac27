import { f32, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import lossSource from './crossEntropy.wgsl.js';
import gradientSource from './crossEntropyGradient.wgsl.js';
import {
  type ClassificationLoss,
  checkDense,
  checkLogits,
  type LossOptions,
  lossGrids,
  orAny,
  reduceLoss,
} from './loss.js';

export interface CrossEntropyOptions extends LossOptions {
  /** s: the target is (1 - s) of what is given and s / C on every class (Szegedy et al. 2016, section 7). 0 without. */
  readonly labelSmoothing?: number;
  /** Factor of each class's term, dense float [C]. */
  readonly classWeights?: Tensor | null;
}

export interface FocalOptions extends LossOptions {
  /** The exponent that plays down what is classified well, at least 0; 2 in the paper. */
  readonly gamma: number;
  /** Factor of each class, dense float [C]. Not part of the denominator, which is the number of pictures. */
  readonly alpha?: Tensor | null;
}

interface Terms extends LossOptions {
  readonly smoothing: number;
  readonly gamma: number;
  readonly classWeights: Tensor | null;
  /** Whether the label's class weight goes into the denominator. */
  readonly weightsCount: boolean;
}

const SOFT = 1;
const WEIGHTED = 2;
const WEIGHTS_COUNT = 4;
const SAMPLE_WEIGHTS = 8;

/**
 * Softmax cross-entropy of logits [N, C]. `targets` are labels, dense u32 [N], where a label that is no class (0xffffffff)
 * takes its picture out, or probabilities [N, C] in `rows` (mixup, cutmix). As in PyTorch's `cross_entropy`, class weights w
 * make the loss of a picture -sum over c of w_c target_c log p_c, and with labels the mean divides by the sum of
 * the labels' weights, with probabilities by the number of pictures. With probabilities `correct` compares
 * with the largest. Of equal logits the first class counts.
 */
export function softmaxCrossEntropy(
  b: PlanBuilder,
  logits: Tensor,
  targets: Tensor,
  options: CrossEntropyOptions = {},
): ClassificationLoss {
  const { labelSmoothing: smoothing = 0, classWeights = null } = options;
  if (!(smoothing >= 0 && smoothing <= 1)) {
    throw new EngineError('INVALID_ARGUMENT', `Label smoothing lies between 0 and 1; got ${smoothing}.`);
  }
  return crossEntropy(b, logits, targets, { ...options, smoothing, gamma: 0, classWeights, weightsCount: true });
}

/**
 * Focal loss of a softmax (Lin et al. 2017, equation 5, over C classes): -alpha_y (1 - p_y)^gamma log p_y for labels y, dense
 * u32 [N]; the mean is over pictures. A label that is no class takes its picture out. gamma 0 is cross-entropy.
 */
export function softmaxFocalLoss(
  b: PlanBuilder,
  logits: Tensor,
  labels: Tensor,
  { gamma, alpha = null, ...options }: FocalOptions,
): ClassificationLoss {
  checkGamma(gamma);
  if (labels.dtype !== 'u32') {
    throw new EngineError('INVALID_SHAPE', `Focal loss takes u32 labels [N]; got ${labels.dtype}.`);
  }
  return crossEntropy(b, logits, labels, { ...options, smoothing: 0, gamma, classWeights: alpha, weightsCount: false });
}

export function checkGamma(gamma: number): void {
  if (!(gamma >= 0 && Number.isFinite(gamma))) {
    throw new EngineError('INVALID_ARGUMENT', `Gamma of a focal loss is at least 0; got ${gamma}.`);
  }
}

function crossEntropy(b: PlanBuilder, logits: Tensor, targets: Tensor, terms: Terms): ClassificationLoss {
  const { batch, classes } = checkLogits(logits, terms, 'Cross-entropy');
  checkDense(terms.classWeights, [classes], 'Cross-entropy: weights of classes');
  const soft = targets.dtype !== 'u32';
  const expected = soft ? logits.shape : [batch];
  if (targets.shape.join() !== expected.join() || targets.layout !== (soft ? 'rows' : 'dense')) {
    throw new EngineError(
      'INVALID_SHAPE',
      `Cross-entropy takes u32 labels [N], dense, or probabilities [N, C] in rows; got ${targets.layout} ${targets.dtype} [${targets.shape.join(', ')}] for logits [${logits.shape.join(', ')}].`,
    );
  }
  const dense = { layout: 'dense' } as const;
  const perSample = b.temporary('losses', [batch], dense);
  const counts = b.temporary('loss counts', [batch, 2], dense);
  const statistics = b.temporary('softmax statistics', [batch, 4], dense);
  const flags =
    (soft ? SOFT : 0) |
    (terms.classWeights ? WEIGHTED : 0) |
    (terms.weightsCount ? WEIGHTS_COUNT : 0) |
    (terms.sampleWeights ? SAMPLE_WEIGHTS : 0);
  const { stride } = rowLayout(logits.shape);
  const uniforms = [classes, batch, stride, flags, f32(terms.smoothing), f32(terms.gamma)];
  const grids = lossGrids(b, batch, classes);
  b.dispatch({
    label: 'cross-entropy',
    program: { label: 'cross-entropy', code: lossSource, constants: grids.constants },
    bindings: [
      read(logits),
      read(targets),
      orAny(terms.classWeights, logits),
      orAny(terms.sampleWeights, logits),
      write(perSample),
      write(counts),
      write(statistics),
    ],
    uniforms,
    workgroups: grids.forward,
  });
  const { loss, correct, factor } = reduceLoss(b, perSample, counts, terms.denominator);
  b.differentiable([logits], loss, (upstream) => {
    const gradient = b.temporary(`d ${logits.label}`, logits.shape, { dtype: logits.dtype });
    b.dispatch({
      label: 'cross-entropy gradient',
      program: { label: 'cross-entropy gradient', code: gradientSource },
      bindings: [
        read(logits),
        read(targets),
        orAny(terms.classWeights, logits),
        read(statistics),
        read(factor),
        read(upstream),
        write(gradient),
      ],
      uniforms,
      workgroups: grids.backward,
    });
    return [gradient];
  });
  return { loss, correct, perSample };
}
