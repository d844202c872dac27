import { f32, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import lossSource from './crossEntropy.wgsl.js';
import gradientSource from './crossEntropyGradient.wgsl.js';
import sumsSource from './crossEntropySums.wgsl.js';

export interface CrossEntropy {
  /** Mean over the counted pictures, [1]. Its gradient flows into the logits. */
  readonly loss: Tensor;
  /** Number of counted pictures whose largest logit is the label's (of equals, the first), [1]. */
  readonly correct: Tensor;
  /** Loss of each picture, 0 where it does not count, [N]. */
  readonly perSample: Tensor;
}

/**
 * Softmax cross-entropy of logits [N, C] and integer labels, dense u32 [N]. A label that is no class (0xffffffff) takes its
 * picture out. `labelSmoothing` s puts s / C on every class and 1 - s more on the label (Szegedy et al. 2016, section 7).
 */
export function softmaxCrossEntropy(
  b: PlanBuilder,
  logits: Tensor,
  labels: Tensor,
  options: { readonly labelSmoothing: number },
): CrossEntropy {
  const [batch, classes] = logits.shape as [number, number];
  if (logits.shape.length !== 2 || labels.shape.length !== 1 || labels.shape[0] !== batch || labels.dtype !== 'u32') {
    throw new EngineError(
      'INVALID_SHAPE',
      `Cross-entropy takes logits [N, C] and u32 labels [N]; got [${logits.shape.join(', ')}] and ${labels.dtype} [${labels.shape.join(', ')}].`,
    );
  }
  const dense = { layout: 'dense' } as const;
  const perSample = b.temporary('losses', [batch], dense);
  const hits = b.temporary('hits', [batch], dense);
  const loss = b.temporary('loss', [1], dense);
  const correct = b.temporary('correct', [1], dense);
  const uniforms = [classes, batch, rowLayout(logits.shape).stride, f32(options.labelSmoothing)];
  b.dispatch({
    label: 'cross-entropy',
    program: { label: 'cross-entropy', code: lossSource },
    bindings: [read(logits), read(labels), write(perSample), write(hits)],
    uniforms,
    workgroups: linearGrid(batch),
  });
  b.dispatch({
    label: 'cross-entropy sums',
    program: { label: 'cross-entropy sums', code: sumsSource },
    bindings: [read(perSample), read(hits), read(labels), write(loss), write(correct)],
    uniforms: [classes, batch],
    workgroups: [1, 1, 1],
  });
  b.differentiable([logits], loss, (upstream) => {
    const gradient = b.temporary(`d ${logits.label}`, logits.shape);
    b.dispatch({
      label: 'cross-entropy gradient',
      program: { label: 'cross-entropy gradient', code: gradientSource },
      bindings: [read(logits), read(labels), read(upstream), write(gradient)],
      uniforms,
      workgroups: linearGrid(batch),
    });
    return [gradient];
  });
  return { loss, correct, perSample };
}
