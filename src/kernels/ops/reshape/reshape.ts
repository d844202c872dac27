import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type LayoutKind, rowLayout, type Shape, type Tensor } from '../../tensor.js';
import { type CopyAxis, copyView } from '../view/copyView.js';
import { layoutLike, resolveAxis, show, temporaryLike } from '../view/view.js';
import source from './reshape.wgsl.js';

/**
 * The same elements in logical row-major order under another shape. The result lies in rows where `x` does and its rank is 2 or
 * 4, else dense, unless `layout` says otherwise. Throws `INVALID_SHAPE` where the numbers of elements differ.
 */
export function reshape(
  b: PlanBuilder,
  x: Tensor,
  shape: Shape,
  options: { readonly layout?: LayoutKind } = {},
): Tensor {
  if (elementCount(shape) !== elementCount(x.shape)) {
    throw new EngineError(
      'INVALID_SHAPE',
      `reshape of ${show(x)} to [${shape.join(', ')}]: ${elementCount(x.shape)} elements cannot become ${elementCount(shape)}.`,
    );
  }
  const layout = options.layout ?? layoutLike(x, shape);
  if (layout === x.layout && shape.join() === x.shape.join()) return x;
  const y = b.temporary(`reshape ${x.label}`, shape, temporaryLike(x, layout));
  move(b, 'reshape', x, y);
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape, { layout: x.layout, dtype: x.dtype });
    move(b, 'reshape gradient', dy, dx);
    return [dx];
  });
}

/** The same tensor in row-major order without padding, float32: what ops of any rank take. */
export const toDense = (b: PlanBuilder, x: Tensor): Tensor => reshape(b, x, x.shape, { layout: 'dense' });

/** The same tensor in rows: what convolutions take. Throws `INVALID_SHAPE` for other ranks than 2 and 4. */
export const toRows = (b: PlanBuilder, x: Tensor): Tensor => reshape(b, x, x.shape, { layout: 'rows' });

/** Leaves out the given dimensions of size 1, or all of them. Throws `INVALID_SHAPE` where a given one is larger. */
export function squeeze(b: PlanBuilder, x: Tensor, axes?: readonly number[]): Tensor {
  const rank = x.shape.length;
  const dropped = axes?.map((axis) => resolveAxis(axis, rank, 'squeeze'));
  if (dropped?.some((axis) => x.shape[axis] !== 1)) {
    throw new EngineError(
      'INVALID_SHAPE',
      `squeeze of ${show(x)}: the axes ${dropped.join(', ')} have to be of size 1.`,
    );
  }
  const isKept = (size: number, axis: number) => (dropped ? !dropped.includes(axis) : size !== 1);
  return reshape(b, x, x.shape.filter(isKept));
}

/** Puts dimensions of size 1 in, at the positions that `axes` name in the result. */
export function unsqueeze(b: PlanBuilder, x: Tensor, axes: readonly number[]): Tensor {
  const rank = x.shape.length + axes.length;
  const added = new Set(axes.map((axis) => resolveAxis(axis, rank, 'unsqueeze')));
  if (added.size !== axes.length) {
    throw new EngineError('INVALID_ARGUMENT', `unsqueeze of ${show(x)}: an axis is given twice in ${axes.join(', ')}.`);
  }
  const sizes = [...x.shape];
  const shape = Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (sizes.shift() as number)));
  return reshape(b, x, shape);
}

function move(b: PlanBuilder, label: string, from: Tensor, to: Tensor): void {
  const source_ = side(from, to);
  const target = side(to, from);
  const axes = commonLoops(source_, target);
  if (axes) {
    copyView(b, { label, source: from, target: write(to), axes });
    return;
  }
  const count = elementCount(to.shape);
  const columns = to.layout === 'rows' ? rowLayout(to.shape).columns : target.pixels;
  b.dispatch({
    label,
    program: { label: 'reshape', code: source },
    bindings: [read(from), write(to)],
    uniforms: [
      count,
      source_.rows,
      source_.pixels,
      source_.rowStride,
      target.rows,
      target.pixels,
      target.rowStride,
      columns,
    ],
    workgroups: linearGrid(count),
  });
}

/** A tensor as [images, rows, pixels], which is its logical order; pixels lie beside each other. */
interface Side {
  readonly images: number;
  readonly rows: number;
  readonly pixels: number;
  readonly imageStride: number;
  readonly rowStride: number;
}

/** Dense tensors are what the `other` one is, as their elements lie in logical order anyhow. */
function side(tensor: Tensor, other: Tensor): Side {
  const { shape } = tensor.layout === 'rows' || other.layout === 'dense' ? tensor : other;
  if (tensor.layout === 'dense' && other.layout === 'dense') {
    const count = elementCount(shape);
    return { images: 1, rows: 1, pixels: count, imageStride: count, rowStride: count };
  }
  const [images, rows] = shape as [number, number];
  const pixels = elementCount(shape.slice(2));
  if (tensor.layout === 'dense') return { images, rows, pixels, imageStride: rows * pixels, rowStride: pixels };
  return { images, rows, pixels, imageStride: pixels, rowStride: rowLayout(shape).stride };
}

/** Loops that walk both sides in logical order, where the images are the same and one side's rows are whole parts of the other's. */
function commonLoops(from: Side, to: Side): CopyAxis[] | null {
  const pixels = Math.min(from.pixels, to.pixels);
  if (from.images !== to.images || from.pixels % pixels !== 0 || to.pixels % pixels !== 0) return null;
  const images = { size: from.images, from: from.imageStride, to: to.imageStride };
  const inner = { size: pixels, from: 1, to: 1 };
  if (from.pixels > pixels) {
    const parts = from.pixels / pixels;
    const rows = { size: from.rows, from: from.rowStride, to: parts * to.rowStride };
    return [images, rows, { size: parts, from: pixels, to: to.rowStride }, inner];
  }
  const parts = to.pixels / pixels;
  const rows = { size: to.rows, from: parts * from.rowStride, to: to.rowStride };
  return [images, rows, { size: parts, from: from.rowStride, to: pixels }, inner];
}
