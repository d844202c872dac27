import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { concat } from '../concat/concat.js';
import { conv2d } from '../conv2d/conv2d.js';
import { pad } from '../pad/pad.js';
import { reshape, toDense } from '../reshape/reshape.js';
import { slice } from '../slice/slice.js';
import { transpose } from '../transpose/transpose.js';
import { show } from '../view/view.js';
import { convolvedLength } from '../window.js';

export type Triple = readonly [depth: number, height: number, width: number];

/** Zeros (or what is cut off) before and after each of the three dimensions. */
export interface VolumePadding {
  readonly before: Triple;
  readonly after: Triple;
}

export interface Conv3dAttributes {
  readonly stride: Triple;
  readonly padding: VolumePadding;
  readonly dilation: Triple;
  readonly groups: number;
}

/**
 * Three-dimensional convolution of dense x [N, C, D, H, W] with a dense weight [O, C / groups, kd, kh, kw] and a bias [O], dense: as
 * a two-dimensional one of every output's depth, whose kd layers of input lie behind each other as channels. Throws `INVALID_SHAPE`.
 */
export function conv3d(
  b: PlanBuilder,
  x: Tensor,
  weight: Tensor,
  { stride, padding, dilation, groups }: Conv3dAttributes,
  bias: Tensor | null = null,
): Tensor {
  const [n, c, d, h, w] = x.shape as [number, number, number, number, number];
  const [o, perGroup, kd, kh, kw] = weight.shape as [number, number, number, number, number];
  if (x.shape.length !== 5 || weight.shape.length !== 5 || perGroup * groups !== c || o % groups !== 0) {
    throw new EngineError(
      'INVALID_SHAPE',
      `A 3-D convolution in ${groups} group(s) takes x [N, C, D, H, W] and a weight [O, C / groups, kd, kh, kw]; got ${show(x)} and ${show(weight)}.`,
    );
  }
  const depth = convolvedLength(d, kd, stride[0], padding.before[0] + padding.after[0], dilation[0]);
  const border = { axis: 2, before: padding.before[0], after: padding.after[0] };
  const padded = border.before || border.after ? pad(b, x, [border], { border: 'constant' }) : x;
  const layers = Array.from({ length: kd }, (_, k) => {
    const start = k * dilation[0];
    const part = slice(b, padded, [{ axis: 2, start, end: start + (depth - 1) * stride[0] + 1, step: stride[0] }]);
    return reshape(b, part, [n, c, 1, depth, h * w]);
  });
  const [first] = layers as [Tensor];
  const stacked = layers.length === 1 ? first : concat(b, layers, 2);
  // [N, C, kd, D', H W] -> [N, D', C, kd, H W]
  const byDepth = transpose(b, stacked, [0, 3, 1, 2, 4]);
  const maps = reshape(b, byDepth, [n * depth, c * kd, h, w], { layout: 'rows' });
  const y = conv2d(
    b,
    maps,
    reshape(b, weight, [o, perGroup * kd, kh, kw]),
    {
      stride: [stride[1], stride[2]],
      padding: { top: padding.before[1], left: padding.before[2], bottom: padding.after[1], right: padding.after[2] },
      dilation: [dilation[1], dilation[2]],
      groups,
    },
    { bias },
  );
  const [, , height, width] = y.shape as [number, number, number, number];
  const volumes = reshape(b, toDense(b, y), [n, depth, o, height * width]);
  return reshape(b, transpose(b, volumes, [0, 2, 1, 3]), [n, o, depth, height, width]);
}

export interface ConvTranspose3dAttributes extends Conv3dAttributes {
  readonly outputPadding: Triple;
}

/**
 * Transposed three-dimensional convolution, the counterpart of `conv3d`: weight [C, O / groups, kd, kh, kw], bias [O]. The input is
 * spread out to every stride-th place, with zeros between, and convolved with the mirrored kernel. Throws `INVALID_SHAPE`.
 */
export function convTranspose3d(
  b: PlanBuilder,
  x: Tensor,
  weight: Tensor,
  { stride, padding, dilation, groups, outputPadding }: ConvTranspose3dAttributes,
  bias: Tensor | null = null,
): Tensor {
  const [n, c, ...sizes] = x.shape as [number, number, number, number, number];
  const [, perGroup, ...kernel] = weight.shape as [number, number, number, number, number];
  let spread = x;
  const known = [n, c, ...sizes];
  for (const [axis, by] of stride.entries()) {
    const dimension = axis + 2;
    const size = known[dimension] as number;
    if (by === 1) continue;
    const before = elementCount(known.slice(0, dimension + 1));
    const columns = reshape(b, spread, [before, 1, elementCount(known.slice(dimension + 1))]);
    const widened = pad(b, columns, [{ axis: 1, before: 0, after: by - 1 }], { border: 'constant' });
    known[dimension] = size * by;
    spread = reshape(b, widened, known);
  }
  // What follows the last element is cut off again.
  const paddings = [0, 1, 2].map((axis) => {
    const full = ((kernel[axis] as number) - 1) * (dilation[axis] as number);
    return {
      axis: axis + 2,
      before: full - (padding.before[axis] as number),
      after: full - (padding.after[axis] as number) + (outputPadding[axis] as number) - ((stride[axis] as number) - 1),
    };
  });
  const framed = pad(b, spread, paddings, { border: 'constant' });
  const o = perGroup * groups;
  // [C, O / g, k...] -> [g, C / g, O / g, k...] -> [O, C / g, k...], mirrored.
  const grouped = reshape(b, weight, [groups, c / groups, perGroup, elementCount(kernel)]);
  const turned = reshape(b, transpose(b, grouped, [0, 2, 1, 3]), [o, c / groups, ...kernel]);
  const mirrored = slice(
    b,
    turned,
    [2, 3, 4].map((axis) => ({ axis, start: -1, end: -(turned.shape[axis] as number) - 1, step: -1 })),
  );
  const none: VolumePadding = { before: [0, 0, 0], after: [0, 0, 0] };
  return conv3d(b, framed, mirrored, { stride: [1, 1, 1], padding: none, dilation, groups }, bias);
}
