import { f32, linearGrid, read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { quadCount, type Tensor } from '../../tensor.js';
import forwardSource from './activation.wgsl.js';
import gradientSource from './activationGradient.wgsl.js';

/** ReLU: max(x, 0). ReLU6: min(max(x, 0), 6) (Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10). */
export type ActivationKind = 'relu' | 'relu6';

/** The largest finite float stands for "no upper bound". */
const UPPER: Record<ActivationKind, number> = { relu: 3.4028234663852886e38, relu6: 6 };

/** Upper bound of an activation in kernels that fuse it; without one nothing is clamped and `fused` is 0. */
export const activationUniforms = (kind: ActivationKind | null | undefined) => ({
  fused: kind ? 1 : 0,
  upper: f32(kind ? UPPER[kind] : 0),
});

/** Elementwise activation of a tensor of any shape. */
export function activation(b: PlanBuilder, x: Tensor, kind: ActivationKind): Tensor {
  const y = b.temporary(`${kind} ${x.label}`, x.shape, { layout: x.layout, dtype: x.dtype });
  b.dispatch({
    label: kind,
    program: { label: 'activation', code: forwardSource },
    bindings: [read(x), write(y)],
    uniforms: [quadCount(x), f32(UPPER[kind])],
    workgroups: linearGrid(quadCount(x)),
  });
  return b.differentiable([x], y, (dy) => [activationGradient(b, y, dy, kind)]);
}

/** Gradient in front of an activation, from its output `y` and the gradient `dy` behind it. */
export function activationGradient(b: PlanBuilder, y: Tensor, dy: Tensor, kind: ActivationKind): Tensor {
  const dx = b.temporary(`d ${y.label}`, y.shape, { layout: y.layout, dtype: y.dtype });
  b.dispatch({
    label: `${kind} gradient`,
    program: { label: 'activation gradient', code: gradientSource },
    bindings: [read(y), read(dy), write(dx)],
    uniforms: [quadCount(y), f32(UPPER[kind])],
    workgroups: linearGrid(quadCount(y)),
  });
  return dx;
}
