import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { denseProduct } from '../product/denseProduct.js';
import type { RightOperand } from '../product/product.js';
import { transposeDense } from '../product/transpose.js';

export interface MatmulAttributes {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/**
 * Matrix product op(a) op(c) of two dense matrices, each transposed first where asked: [M, K] x [K, N] -> dense [M, N].
 * Throws `INVALID_SHAPE` where the inner sizes differ.
 */
export function matmul(b: PlanBuilder, a: Tensor, c: Tensor, attributes: MatmulAttributes = {}): Tensor {
  const { transposeA = false, transposeB = false } = attributes;
  const y = multiply(b, a, transposeA, c, transposeB);
  return b.differentiable([a, c], y, (dy, needs) => {
    // d op(a) = dy op(c)^T and d op(c) = op(a)^T dy, each transposed again where the operand was.
    const da = transposeA ? () => multiply(b, c, transposeB, dy, true) : () => multiply(b, dy, false, c, !transposeB);
    const dc = transposeB ? () => multiply(b, dy, true, a, transposeA) : () => multiply(b, a, !transposeA, dy, false);
    return [needs[0] ? da() : null, needs[1] ? dc() : null];
  });
}

function multiply(b: PlanBuilder, a: Tensor, transposeA: boolean, c: Tensor, transposeB: boolean): Tensor {
  const [aRows = 0, aColumns = 0] = a.shape;
  const [cRows = 0, cColumns = 0] = c.shape;
  const [rows, depth] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [inner, columns] = transposeB ? [cColumns, cRows] : [cRows, cColumns];
  const isMatrix = (tensor: Tensor) => tensor.shape.length === 2 && tensor.layout === 'dense';
  if (!isMatrix(a) || !isMatrix(c) || depth !== inner) {
    const show = (tensor: Tensor, transposed: boolean) =>
      `${tensor.label} [${tensor.shape.join(', ')}] (${tensor.layout}${transposed ? ', transposed' : ''})`;
    throw new EngineError(
      'INVALID_SHAPE',
      `A matrix product takes dense [M, K] and [K, N]; got ${show(a, transposeA)} and ${show(c, transposeB)}.`,
    );
  }
  const strides = transposeB ? { stride: 1, columnStride: cColumns } : { stride: cColumns, columnStride: 1 };
  const isWholeQuads = !transposeB && columns % 4 === 0;
  const right: RightOperand = { tensor: c, kind: isWholeQuads ? 'rows' : 'strided', groupOffset: 0, ...strides };
  return denseProduct(b, {
    label: `matmul ${a.label} ${c.label}`,
    shape: [rows, columns],
    groups: 1,
    rows,
    columns,
    depth,
    left: transposeA ? transposeDense(b, a, [1, aRows, aColumns, 1]) : a,
    leftStride: depth,
    right,
  });
}
