import { type Binding, type Grid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { reductionLanes } from '../sumRows/sumRows.js';
import sumsSource from './lossSums.wgsl.js';

/**
 * A loss and its parts. The gradient of `loss` flows into the logits. To scale the gradient and not the loss, as float16
 * wants it, give the scale as the seed of `backward`: `b.backward(loss, scale)` with a dense float [1].
 */
export interface Loss {
  /** Sum of the pictures' losses over the denominator, [1]. */
  readonly loss: Tensor;
  /** Loss of each picture with its weights, not divided by the denominator, [N]; 0 where it does not count. */
  readonly perSample: Tensor;
}

export interface ClassificationLoss extends Loss {
  /** Number of counted pictures that are classified right, [1]. */
  readonly correct: Tensor;
}

export interface LossOptions {
  /**
   * What the sum of the losses is divided by, a dense float [1]. Where a batch runs in several parts, the sum of weights over the
   * whole batch: the parts' losses and gradients then add up to those of the batch at once. Without it, the sum of the
   * weights over the pictures of this plan (their number, where nothing is weighted), or 1 where that is 0.
   */
  readonly denominator?: Tensor | null;
  /** Factor of each picture's loss and its weight in the denominator, dense float [N]. A picture of weight 0 does not count. */
  readonly sampleWeights?: Tensor | null;
}

/** Pictures of a workgroup of a loss's forward kernel: the constant `columns` there. */
const PICTURES = 8;
/** Invocations that share the classes of a picture forward; classes of an invocation backward. */
const SHARING = {
  subgroup8: { lanes: 1, classes: 64 },
  workgroup: { lanes: 32, classes: 4 },
} as const;

/** How a loss's kernels are cut: lanes and grid of the forward, grid (64 pictures wide) of the backward kernel. */
export function lossGrids(
  b: PlanBuilder,
  batch: number,
  classes: number,
): { constants: { lanes: number }; forward: Grid; backward: Grid } {
  const sharing = SHARING[b.engine.kernelFamily];
  return {
    constants: { lanes: sharing.lanes },
    forward: [Math.ceil(batch / PICTURES), 1, 1],
    backward: [Math.ceil(batch / 64), Math.ceil(classes / sharing.classes), 1],
  };
}

/** The loss, hits and what gradients multiply by, [1] each, from each picture's loss and (weight, hit) [N, 2]. */
export function reduceLoss(b: PlanBuilder, perSample: Tensor, counts: Tensor, denominator: Tensor | null | undefined) {
  const one = (label: string) => b.temporary(label, [1], { layout: 'dense' });
  const [loss, correct, factor] = [one('loss'), one('correct'), one('loss factor')];
  b.dispatch({
    label: 'loss sums',
    program: { label: 'loss sums', code: sumsSource, constants: reductionLanes(b) },
    bindings: [
      read(perSample),
      read(counts),
      orAny(denominator, perSample),
      write(loss),
      write(correct),
      write(factor),
    ],
    uniforms: [perSample.shape[0] as number, denominator ? 1 : 0],
    workgroups: [1, 1, 1],
  });
  return { loss, correct, factor };
}

/** An absent tensor is masked in the kernel by a flag; the binding still needs some tensor. */
export const orAny = (tensor: Tensor | null | undefined, any: Tensor): Binding => read(tensor ?? any);

/** Throws `INVALID_SHAPE` unless a tensor that is there is dense float of the shape. */
export function checkDense(tensor: Tensor | null | undefined, shape: readonly number[], what: string): void {
  if (!tensor) return;
  if (tensor.layout !== 'dense' || tensor.shape.join() !== shape.join() || !tensor.dtype.startsWith('f')) {
    throw new EngineError(
      'INVALID_SHAPE',
      `${what} have to be dense floats [${shape.join(', ')}]; got ${tensor.layout} ${tensor.dtype} [${tensor.shape.join(', ')}].`,
    );
  }
}

/** N and C of logits `[N, C]` in `rows` layout; throws `INVALID_SHAPE` otherwise and checks the options against them. */
export function checkLogits(logits: Tensor, options: LossOptions, what: string): { batch: number; classes: number } {
  const [batch, classes] = logits.shape as [number, number];
  if (logits.shape.length !== 2 || logits.layout !== 'rows') {
    throw new EngineError(
      'INVALID_SHAPE',
      `${what} takes logits [N, C] in rows; got ${logits.layout} [${logits.shape.join(', ')}].`,
    );
  }
  checkDense(options.denominator, [1], `${what}: denominators`);
  checkDense(options.sampleWeights, [batch], `${what}: weights of pictures`);
  return { batch, classes };
}
