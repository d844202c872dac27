import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { type Activation, activation, activationGradient } from '../activation/activation.js';
import { splitActivation } from '../activation/fused.js';
import { denseProduct } from '../product/denseProduct.js';
import { product } from '../product/product.js';
import { transposeDense } from '../product/transpose.js';
import { activationAndBiasGradient, sumRows } from '../sumRows/sumRows.js';

export interface DenseEpilogue {
  /** Dense [O]. */
  readonly bias?: Tensor | null;
  readonly activation?: Activation | null;
}

/**
 * Fully connected layer: x [N, F] times the transposed dense weight [O, F], then bias and activation: [N, O].
 * Throws `INVALID_SHAPE` where the shapes do not fit.
 */
export function dense(b: PlanBuilder, x: Tensor, weight: Tensor, epilogue: DenseEpilogue = {}): Tensor {
  const [n, features] = x.shape as [number, number];
  const [outputs, expected] = weight.shape as [number, number];
  const { bias } = epilogue;
  const biasFits = !bias || (bias.shape.length === 1 && bias.shape[0] === outputs);
  if (x.shape.length !== 2 || weight.shape.length !== 2 || features !== expected || !biasFits) {
    const given = [x, weight, ...(bias ? [bias] : [])].map((tensor) => `${tensor.label} [${tensor.shape.join(', ')}]`);
    throw new EngineError(
      'INVALID_SHAPE',
      `A dense layer takes x [N, F], a weight [O, F] and a bias [O]; got ${given.join(', ')}.`,
    );
  }
  const inputs = [x, weight, ...(bias ? [bias] : [])];
  const { fused, separate } = splitActivation(epilogue.activation, inputs);
  const y = b.temporary(`dense ${weight.label}`, [n, outputs]);
  const { stride } = rowLayout(x.shape);
  product(b, {
    label: y.label,
    groups: 1,
    rows: outputs,
    columns: n,
    depth: features,
    left: weight,
    leftStride: features,
    right: { tensor: x, kind: 'rows', groupOffset: 0, stride },
    result: y,
    epilogue: { bias, activation: fused },
  });
  b.differentiable(inputs, y, (gradient, needs) => {
    const both = fused && needs[2] ? activationAndBiasGradient(b, y, gradient, fused) : null;
    const dy = both?.dx ?? (fused ? activationGradient(b, y, gradient, fused) : gradient);
    return [
      needs[0] ? inputGradient(b, x, weight, dy) : null,
      needs[1] ? weightGradient(b, x, weight, dy) : null,
      needs[2] ? (both?.dBias ?? sumRows(b, dy)) : null,
    ];
  });
  return separate ? activation(b, y, separate) : y;
}

function inputGradient(b: PlanBuilder, x: Tensor, weight: Tensor, dy: Tensor): Tensor {
  const [outputs, features] = weight.shape as [number, number];
  const dx = b.temporary(`d ${x.label}`, x.shape);
  product(b, {
    label: `dense input gradient ${weight.label}`,
    groups: 1,
    rows: features,
    columns: x.shape[0] as number,
    depth: outputs,
    left: transposeDense(b, weight, [1, outputs, features, 1]),
    leftStride: outputs,
    right: { tensor: dy, kind: 'rows', groupOffset: 0, stride: rowLayout(dy.shape).stride },
    result: dx,
  });
  return dx;
}

function weightGradient(b: PlanBuilder, x: Tensor, weight: Tensor, dy: Tensor): Tensor {
  const [outputs, features] = weight.shape as [number, number];
  const { stride } = rowLayout(x.shape);
  return denseProduct(b, {
    label: `d ${weight.label}`,
    shape: weight.shape,
    groups: 1,
    rows: outputs,
    columns: features,
    depth: x.shape[0] as number,
    left: dy,
    leftStride: rowLayout(dy.shape).stride,
    right: { tensor: x, kind: 'strided', groupOffset: 0, stride: 1, columnStride: stride },
  });
}
