import { f32, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { axisUniforms, type CopyAxis, copyView, joinAxes } from '../view/copyView.js';
import { layoutLike, resolveAxis, show, stridesOf, temporaryLike } from '../view/view.js';
import { walkSource } from '../view/walkSource.js';
import gradientSource from './reduceGradient.wgsl.js';
import { reduction, type ReductionKind } from './reduction.js';

export interface ReduceAttributes {
  /** The dimensions that go, negative ones counted from the end; all of them without. */
  readonly axes?: readonly number[];
  /** Whether they stay as dimensions of size 1. */
  readonly keepDims?: boolean;
}

type Kind = 'sum' | 'mean' | 'product' | 'max' | 'min' | 'l2';

/** Sum over `axes`. The result lies in rows where `x` does and the rank allows it, else dense; the order of addition is fixed. */
export const reduceSum = (b: PlanBuilder, x: Tensor, attributes: ReduceAttributes = {}): Tensor =>
  reduce(b, 'sum', x, attributes);

/** Mean over `axes`, as `reduceSum`. */
export const reduceMean = (b: PlanBuilder, x: Tensor, attributes: ReduceAttributes = {}): Tensor =>
  reduce(b, 'mean', x, attributes);

/** Product over `axes`. It has no gradient. */
export const reduceProduct = (b: PlanBuilder, x: Tensor, attributes: ReduceAttributes = {}): Tensor =>
  reduce(b, 'product', x, attributes);

/** Largest element over `axes`. Equal ones share the gradient, as in PyTorch's `amax`. */
export const reduceMax = (b: PlanBuilder, x: Tensor, attributes: ReduceAttributes = {}): Tensor =>
  reduce(b, 'max', x, attributes);

/** Smallest element over `axes`. Equal ones share the gradient, as in PyTorch's `amin`. */
export const reduceMin = (b: PlanBuilder, x: Tensor, attributes: ReduceAttributes = {}): Tensor =>
  reduce(b, 'min', x, attributes);

/** Square root of the sum of squares over `axes`. Its gradient where all are 0 is taken as 0. */
export const reduceL2 = (b: PlanBuilder, x: Tensor, attributes: ReduceAttributes = {}): Tensor =>
  reduce(b, 'l2', x, attributes);

function reduce(b: PlanBuilder, kind: Kind, x: Tensor, { axes, keepDims = false }: ReduceAttributes): Tensor {
  const gone = new Set(
    (axes ?? [...x.shape.keys()]).map((axis) => resolveAxis(axis, x.shape.length, `reduce ${kind}`)),
  );
  const shape = x.shape.flatMap((size, axis) => (gone.has(axis) ? (keepDims ? [1] : []) : [size]));
  const y = b.temporary(`reduce ${kind} ${x.label}`, shape, temporaryLike(x, layoutLike(x, shape)));
  const strides = stridesOf(y);
  let position = 0;
  const target = x.shape.map((_, axis) => {
    if (!gone.has(axis)) return strides[position++] as number;
    if (keepDims) position++;
    return null;
  });
  const loops = split(x, target);
  const scale = kind === 'mean' ? 1 / (elementCount(x.shape) / elementCount(shape)) : 1;
  const plain: ReductionKind = kind === 'mean' ? 'sum' : kind;
  reduction(b, { label: y.label, kind: plain, x, y, ...loops, scale });
  if (kind === 'product') return y;
  return b.differentiable([x], y, (dy) => [gradient(b, plain, x, y, dy, target, scale)]);
}

/** Sum of `x` down to the shape, layout and type of `like`, to which it was expanded: the backward pass of broadcasting. */
export function reduceTo(b: PlanBuilder, x: Tensor, like: Tensor): Tensor {
  const y = b.temporary(`sum ${x.label}`, like.shape, { layout: like.layout, dtype: like.dtype });
  const strides = stridesOf(like);
  const added = x.shape.length - like.shape.length;
  const isRepeated = (axis: number, size: number) => axis < added || (like.shape[axis - added] === 1 && size > 1);
  if (added < 0 || x.shape.some((size, axis) => !isRepeated(axis, size) && size !== like.shape[axis - added])) {
    throw new EngineError('INVALID_SHAPE', `${show(x)} is no expansion of ${show(like)}.`);
  }
  const target = x.shape.map((size, axis) => (isRepeated(axis, size) ? null : (strides[axis - added] as number)));
  reduction(b, { label: y.label, kind: 'sum', x, y, ...split(x, target) });
  return y;
}

/** `target`: stride in the result of each dimension of `x`, null for those that go. */
function split(x: Tensor, target: readonly (number | null)[]) {
  const strides = stridesOf(x);
  const kept: CopyAxis[] = [];
  const reduced: { size: number; stride: number }[] = [];
  x.shape.forEach((size, axis) => {
    const stride = strides[axis] as number;
    const to = target[axis] as number | null;
    if (to === null) reduced.push({ size, stride });
    else kept.push({ size, from: stride, to });
  });
  return { kept, reduced };
}

const GRADIENTS: Readonly<Record<'sum' | 'l2' | 'extreme', string>> = {
  sum: 'f32(dy[there]) * p.scale',
  l2: 'select(0.0, f32(dy[there]) * f32(x[here]) / f32(y[there]), f32(y[there]) > 0.0)',
  extreme: 'select(0.0, f32(dy[there]) / f32(ties[there]), f32(x[here]) == f32(y[there]))',
};
const OPERANDS = { sum: ['dy'], l2: ['dy', 'x', 'y'], extreme: ['dy', 'x', 'y', 'ties'] } as const;

function gradient(
  b: PlanBuilder,
  kind: ReductionKind,
  x: Tensor,
  y: Tensor,
  dy: Tensor,
  target: readonly (number | null)[],
  scale: number,
): Tensor {
  const dx = b.temporary(`d ${x.label}`, x.shape, { layout: x.layout, dtype: x.dtype });
  const strides = stridesOf(x);
  const spread = x.shape.map((size, axis) => ({ size, from: target[axis] ?? 0, to: strides[axis] as number }));
  const label = `d ${y.label}`;
  if (kind === 'sum' && scale === 1) {
    copyView(b, { label, source: dy, target: write(dx), axes: spread });
    return dx;
  }
  const operands: Record<string, Tensor> = { dy, x, y };
  const formula = kind === 'sum' || kind === 'l2' ? kind : 'extreme';
  if (formula === 'extreme') {
    operands.ties = b.temporary(`ties ${y.label}`, y.shape, { layout: y.layout, dtype: 'f32' });
    reduction(b, { label: `ties ${y.label}`, kind: 'ties', x, y: operands.ties, given: y, ...split(x, target) });
  }
  const names = OPERANDS[formula];
  const axes = joinAxes(spread);
  const count = elementCount(x.shape);
  const declarations = names.map((name, i) => `@group(0) @binding(${i}) var<storage, read> ${name}: array<T${i}>;`);
  b.dispatch({
    label,
    program: {
      label: `reduce gradient ${formula}`,
      code: `${declarations.join('\n')}
@group(0) @binding(${names.length}) var<storage, read_write> dx: array<T${names.length}>;
@group(0) @binding(${names.length + 1}) var<uniform> p: Parameters;
alias Result = T${names.length};
fn gradient(there: i32, here: i32) -> f32 { return ${GRADIENTS[formula]}; }
${walkSource(axes.length)}
${gradientSource}`,
    },
    bindings: [...names.map((name) => read(operands[name] as Tensor)), write(dx)],
    uniforms: [count, axes.length, 0, 0, f32(scale), 0, 0, 0, ...axisUniforms(axes, label)],
    workgroups: linearGrid(count),
  });
  return dx;
}
