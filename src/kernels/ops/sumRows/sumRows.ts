import { read, write } from '../../dispatch.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { type Activation, activationFunction } from '../activation/kinds.js';
import { sumRowsSource } from './sumRowsSource.js';

/** Lanes of a workgroup that sums up a row, as the constant of such kernels: see there. */
export const reductionLanes = (b: PlanBuilder): { lanes: number } => ({
  lanes: b.engine.kernelFamily === 'subgroup8' ? 8 : 64,
});

/** Sum of each row (channel) of `[N, C]` or `[N, C, H, W]` over everything else: dense [C]. The gradient of a bias. */
export function sumRows(b: PlanBuilder, x: Tensor): Tensor {
  const { rows, columns, stride } = rowLayout(x.shape);
  const sum = b.temporary(`sum ${x.label}`, [rows], { layout: 'dense' });
  b.dispatch({
    label: `sum rows ${x.label}`,
    program: { label: 'sum rows', code: sumRowsSource(null), constants: reductionLanes(b) },
    bindings: [read(x), write(sum)],
    uniforms: [columns, stride / 4],
    workgroups: [rows, 1, 1],
  });
  return sum;
}

/**
 * The gradient in front of an activation that a kernel has fused, from its output `y` and the gradient `dy` behind it, and in the
 * same pass its sum over each row: the gradient of the bias in front of the activation, dense [C].
 */
export function activationAndBiasGradient(
  b: PlanBuilder,
  y: Tensor,
  dy: Tensor,
  kind: Activation,
): { readonly dx: Tensor; readonly dBias: Tensor } {
  const { rows, columns, stride } = rowLayout(y.shape);
  const f = activationFunction(kind);
  const dx = b.temporary(`d ${y.label}`, y.shape, { dtype: y.dtype });
  const dBias = b.temporary(`d bias ${y.label}`, [rows], { layout: 'dense' });
  b.dispatch({
    label: `${f.kind} and bias gradient`,
    program: { label: `${f.kind} and bias gradient`, code: sumRowsSource(f.gradient), constants: reductionLanes(b) },
    bindings: [read(y), read(dy), write(dx), write(dBias)],
    uniforms: [columns, stride / 4],
    workgroups: [rows, 1, 1],
  });
  return { dx, dBias };
}
