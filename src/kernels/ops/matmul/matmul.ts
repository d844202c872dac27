import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Shape, type Tensor } from '../../tensor.js';
import { broadcastShape } from '../elementwise/broadcast.js';
import { repeated } from '../expand/expand.js';
import { denseProduct } from '../product/denseProduct.js';
import type { RightOperand } from '../product/product.js';
import { transposeDense } from '../product/transpose.js';
import { reduceTo } from '../reduce/reduce.js';

export interface MatmulAttributes {
  /** Whether the last two dimensions of the first operand are exchanged before. */
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** A dense tensor as `batch` matrices of rows x columns, and whether each is meant transposed. */
interface Matrices {
  readonly tensor: Tensor;
  readonly batch: Shape;
  readonly rows: number;
  readonly columns: number;
  readonly transposed: boolean;
}

/**
 * Matrix product op(a) op(c) of dense matrices, each transposed first where asked: [..., M, K] x [..., K, N] -> dense
 * [..., M, N]. What comes before the last two dimensions counts matrices and broadcasts (ONNX's and NumPy's matmul).
 * Throws `INVALID_SHAPE` where the inner sizes differ or the others do not broadcast.
 */
export function matmul(b: PlanBuilder, a: Tensor, c: Tensor, attributes: MatmulAttributes = {}): Tensor {
  const { transposeA = false, transposeB = false } = attributes;
  const [left, right] = [matricesOf(a, transposeA), matricesOf(c, transposeB)];
  if (!left || !right || outer(left)[1] !== outer(right)[0]) {
    const describe = (tensor: Tensor, transposed: boolean) =>
      `${tensor.label} [${tensor.shape.join(', ')}] (${tensor.layout}${transposed ? ', transposed' : ''})`;
    throw new EngineError(
      'INVALID_SHAPE',
      `A matrix product takes dense [..., M, K] and [..., K, N]; got ${describe(a, transposeA)} and ${describe(c, transposeB)}.`,
    );
  }
  const y = multiply(b, left, right);
  return b.differentiable([a, c], y, (gradient, needs) => {
    const dy = matricesOf(gradient, false) as Matrices;
    return [
      needs[0] ? summed(b, transposeA ? multiply(b, right, flip(dy)) : multiply(b, dy, flip(right)), a) : null,
      needs[1] ? rightGradient(b, left, dy, right) : null,
    ];
  });
}

/** d op(c) = op(a)^T dy, transposed again where c was. One c for all matrices of a and dy: one product over all their rows. */
function rightGradient(b: PlanBuilder, left: Matrices, dy: Matrices, { tensor, batch, transposed }: Matrices): Tensor {
  const isShared = elementCount(batch) === 1 && !left.transposed;
  const [a, upstream] = isShared ? [stacked(left), stacked(dy)] : [left, dy];
  const dc = transposed ? multiply(b, flip(upstream), a, tensor.shape) : multiply(b, flip(a), upstream, tensor.shape);
  return summed(b, dc, tensor);
}

/** Sum over the matrices for which `like` was repeated. */
const summed = (b: PlanBuilder, gradient: Tensor, like: Tensor): Tensor =>
  gradient.shape.join() === like.shape.join() ? gradient : reduceTo(b, gradient, like);

const flip = (matrices: Matrices): Matrices => ({ ...matrices, transposed: !matrices.transposed });

/** All matrices as one, row below row. */
const stacked = (matrices: Matrices): Matrices => ({
  ...matrices,
  batch: [],
  rows: elementCount(matrices.batch) * matrices.rows,
});

/** Rows and columns after the transposition. */
const outer = ({ rows, columns, transposed }: Matrices): readonly [number, number] =>
  transposed ? [columns, rows] : [rows, columns];

function matricesOf(tensor: Tensor, transposed: boolean): Matrices | null {
  if (tensor.shape.length < 2 || tensor.layout !== 'dense') return null;
  const [rows, columns] = tensor.shape.slice(-2) as [number, number];
  return { tensor, batch: tensor.shape.slice(0, -2), rows, columns, transposed };
}

/** The products of all pairs. `shape` names the result's dimensions where they are not those of the operands. */
function multiply(b: PlanBuilder, a: Matrices, c: Matrices, shape?: Shape): Tensor {
  const batch = broadcastShape('matrix product', a.batch, c.batch);
  const [rows, depth] = outer(a);
  const columns = outer(c)[1];
  const count = elementCount(batch);
  const isShared = elementCount(c.batch) === 1;
  // One right operand for all: one product of as many rows as there are in all left ones.
  const left = rowMajor(b, isShared ? a : inBatch(b, a, batch));
  const right = isShared ? c.tensor : inBatch(b, c, batch).tensor;
  const groups = isShared ? 1 : count;
  const strides = c.transposed ? { stride: 1, columnStride: c.columns } : { stride: c.columns, columnStride: 1 };
  const isWholeQuads = !c.transposed && columns % 4 === 0;
  const operand: RightOperand = {
    tensor: right,
    kind: isWholeQuads ? 'rows' : 'strided',
    groupOffset: isShared ? 0 : c.rows * c.columns,
    ...strides,
  };
  const whole = shape && elementCount(shape) === count * rows * columns ? shape : [...batch, rows, columns];
  return denseProduct(b, {
    label: `matmul ${a.tensor.label} ${c.tensor.label}`,
    shape: whole,
    groups,
    rows: isShared ? elementCount(a.batch) * rows : rows,
    columns,
    depth,
    left,
    leftStride: depth,
    right: operand,
  });
}

/** The matrices repeated for every place of the batch. */
function inBatch(b: PlanBuilder, matrices: Matrices, batch: Shape): Matrices {
  if (elementCount(matrices.batch) === elementCount(batch)) return matrices;
  const { tensor, rows, columns } = matrices;
  return { ...matrices, batch, tensor: repeated(b, tensor, [...batch, rows, columns]) };
}

/** The matrices as they are meant, row after row. */
function rowMajor(b: PlanBuilder, { tensor, batch, rows, columns, transposed }: Matrices): Tensor {
  return transposed ? transposeDense(b, tensor, [elementCount(batch), rows, columns, 1]) : tensor;
}
