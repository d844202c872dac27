import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { broadcastOperation } from '../binary/binary.js';
import {
  type Conv2dAttributes,
  conv2d,
  convolutionInputGradient,
  convolutionWeightGradient,
  forwardGeometry,
} from '../conv2d/conv2d.js';
import { operand } from '../elementwise/broadcast.js';
import { show } from '../view/view.js';
import type { Pair } from '../window.js';

export interface ConvTranspose2dAttributes extends Conv2dAttributes {
  /** Lines and columns more at the bottom and the right, which a convolution of this stride would not have looked at. */
  readonly outputPadding: Pair;
}

/** Sizes of the result along one axis. */
export const transposedLength = (
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
  outputPadding: number,
): number => (size - 1) * stride + (kernel - 1) * dilation + 1 + outputPadding - padding;

/**
 * Transposed convolution: what a convolution from [N, O, H', W'] to the shape of x [N, C, H, W] does with gradients (Dumoulin and
 * Visin 2016, section 4). The weight is dense [C, O / groups, kh, kw], the bias dense [O]. Throws `INVALID_SHAPE`.
 */
export function convTranspose2d(
  b: PlanBuilder,
  x: Tensor,
  weight: Tensor,
  attributes: ConvTranspose2dAttributes,
  bias: Tensor | null = null,
): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const [channels, perGroup, kh, kw] = weight.shape as [number, number, number, number];
  const { groups, stride, padding, dilation, outputPadding } = attributes;
  const fits = outputPadding.every((size, axis) => size >= 0 && size < (stride[axis] as number));
  if (x.shape.length !== 4 || weight.shape.length !== 4 || channels !== c || c % groups !== 0 || !fits) {
    throw new EngineError(
      'INVALID_SHAPE',
      `A transposed convolution in ${groups} group(s) takes x [N, C, H, W], a weight [C, O / groups, kh, kw] and output padding below its stride; got ${show(x)}, ${show(weight)} and ${outputPadding.join(', ')}.`,
    );
  }
  const height = transposedLength(h, kh, stride[0], padding.top + padding.bottom, dilation[0], outputPadding[0]);
  const width = transposedLength(w, kw, stride[1], padding.left + padding.right, dilation[1], outputPadding[1]);
  const shape = [n, perGroup * groups, height, width];
  // The other convolution's input: only its shape counts.
  const like = b.temporary(`transposed ${x.label}`, shape);
  const geometry = forwardGeometry(like, x, [kh, kw], attributes);
  const y = convolutionInputGradient(b, { x: like, weight, dy: x, geometry, groups });
  b.differentiable([x, weight], y, (dy, needs) => [
    needs[0] ? conv2d(b, dy, weight, attributes) : null,
    needs[1] ? convolutionWeightGradient(b, { x: dy, weight, dy: x, geometry, groups }) : null,
  ]);
  if (!bias) return y;
  const add = { value: 'a + b', gradients: [PASSED, PASSED] } as const;
  return broadcastOperation(b, 'add', add, operand(y), { tensor: bias, shape: [perGroup * groups, 1, 1] }, {});
}

const PASSED = { expression: 'dy', reads: [] } as const;
