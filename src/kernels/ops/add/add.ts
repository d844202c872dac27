import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { quadCount, type Tensor } from '../../tensor.js';
import { type ActivationKind, activationGradient, activationUniforms } from '../activation/activation.js';
import source from './add.wgsl.js';

/** activation(x + y) of two tensors of one shape. Throws `INVALID_SHAPE` where the shapes differ. */
export function add(
  b: PlanBuilder,
  x: Tensor,
  y: Tensor,
  options: { activation?: ActivationKind | null } = {},
): Tensor {
  if (x.shape.join() !== y.shape.join() || x.layout !== y.layout) {
    throw new EngineError('INVALID_SHAPE', `add: [${x.shape.join(', ')}] and [${y.shape.join(', ')}] differ.`);
  }
  const kind = options.activation;
  const sum = b.temporary(`${x.label} + ${y.label}`, x.shape, { layout: x.layout, dtype: x.dtype });
  const { fused, upper } = activationUniforms(kind);
  b.dispatch({
    label: 'add',
    program: { label: 'add', code: source },
    bindings: [read(x), read(y), write(sum)],
    uniforms: [quadCount(x), fused, upper],
    workgroups: linearGrid(quadCount(x)),
  });
  return b.differentiable([x, y], sum, (dy) => {
    const gradient = kind ? activationGradient(b, sum, dy, kind) : dy;
    return [gradient, gradient];
  });
}
