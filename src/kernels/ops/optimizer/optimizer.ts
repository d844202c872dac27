import { f32, linearGrid, read, readWrite } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, quadCount, type Tensor } from '../../tensor.js';
import adamSource from './adam.wgsl.js';
import clipScaleSource from './clipScale.wgsl.js';
import descentSource from './gradientDescent.wgsl.js';
import sgdSource from './sgd.wgsl.js';
import squaredNormSource from './squaredNorm.wgsl.js';

export interface SgdAttributes {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly learningRateFactor: number;
}
export interface AdamAttributes {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** AdamW's decay of the weight itself instead of L2 in the gradient. */
  readonly decoupled: boolean;
  readonly learningRateFactor: number;
}

/** Without a scale, `hyper` stands in for the binding and the flag keeps it from being read. */
const scaling = (scale: Tensor | null, hyper: Tensor) => ({ tensor: scale ?? hyper, flag: scale ? 1 : 0 });

/**
 * Gradient descent in place, as torch.optim.SGD defines it. `hyper` is a dense [8] plan input, [0] the learning rate;
 * `velocity` starts as zeros and is needed where momentum > 0; `scale` (dense [1]) multiplies the gradient.
 */
export function sgdUpdate(
  b: PlanBuilder,
  weight: Tensor,
  gradient: Tensor,
  velocity: Tensor | null,
  hyper: Tensor,
  attributes: SgdAttributes,
  scale: Tensor | null,
): void {
  const { momentum, nesterov, weightDecay, learningRateFactor } = attributes;
  const quads = quadCount(weight);
  const common = [read(gradient), read(hyper), read(scaling(scale, hyper).tensor)];
  if (velocity === null) {
    b.dispatch({
      label: `gradient descent ${weight.label}`,
      program: { label: 'gradient descent', code: descentSource },
      bindings: [readWrite(weight), ...common],
      uniforms: [quads, scaling(scale, hyper).flag, f32(weightDecay), f32(learningRateFactor)],
      workgroups: linearGrid(quads),
    });
    return;
  }
  b.dispatch({
    label: `sgd ${weight.label}`,
    program: { label: 'sgd', code: sgdSource },
    bindings: [readWrite(weight), readWrite(velocity), ...common],
    uniforms: [
      quads,
      scaling(scale, hyper).flag,
      nesterov ? 1 : 0,
      f32(momentum),
      f32(weightDecay),
      f32(learningRateFactor),
    ],
    workgroups: linearGrid(quads),
  });
}

/** Adam or AdamW in place. `hyper` is a dense [8] plan input: [learning rate, 1 - beta1^t, 1 - beta2^t], t from 1. */
export function adamUpdate(
  b: PlanBuilder,
  weight: Tensor,
  gradient: Tensor,
  first: Tensor,
  second: Tensor,
  hyper: Tensor,
  attributes: AdamAttributes,
  scale: Tensor | null,
): void {
  const { beta1, beta2, epsilon, weightDecay, decoupled, learningRateFactor } = attributes;
  const quads = quadCount(weight);
  b.dispatch({
    label: `adam ${weight.label}`,
    program: { label: 'adam', code: adamSource },
    bindings: [
      readWrite(weight),
      readWrite(first),
      readWrite(second),
      read(gradient),
      read(hyper),
      read(scaling(scale, hyper).tensor),
    ],
    uniforms: [
      quads,
      scaling(scale, hyper).flag,
      decoupled ? 1 : 0,
      f32(beta1),
      f32(beta2),
      f32(epsilon),
      f32(weightDecay),
      f32(learningRateFactor),
    ],
    workgroups: linearGrid(quads),
  });
}

/** min(1, maxNorm / (norm + 1e-6)) of all gradients (dense) together: torch.nn.utils.clip_grad_norm_'s factor, dense [1]. */
export function globalNormScale(b: PlanBuilder, gradients: readonly Tensor[], maxNorm: number): Tensor {
  const partial = b.temporary('squared norms', [gradients.length], { layout: 'dense' });
  gradients.forEach((gradient, slot) => {
    b.dispatch({
      label: `squared norm ${gradient.label}`,
      program: { label: 'squared norm', code: squaredNormSource },
      bindings: [read(gradient), readWrite(partial)],
      uniforms: [elementCount(gradient.shape), slot],
      workgroups: [1, 1, 1],
    });
  });
  const scale = b.temporary('clip scale', [1], { layout: 'dense' });
  b.dispatch({
    label: 'clip scale',
    program: { label: 'clip scale', code: clipScaleSource },
    bindings: [read(partial), readWrite(scale)],
    uniforms: [gradients.length, f32(maxNorm)],
    workgroups: [1, 1, 1],
  });
  return scale;
}
