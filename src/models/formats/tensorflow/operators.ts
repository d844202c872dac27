import { elementCount } from '../../../kernels/tensor.js';
import { batchToSpace, dilatedWindow, isSharedOut, type SharedOut, spaceToBatch } from './dilated.js';
import { binary, type BinaryOperator, unary } from './elementwise.js';
import type { Operand, OperatorContext } from './operatorContext.js';
import { concat, pad, reshape } from './shaping.js';
import { resize } from './spatial.js';
import { asMaps, type Constant, isConstant, notMapped, positiveAxis, type Value } from './value.js';
import type { Window } from './weighted.js';

/** Operators that graphs of TensorFlow and of TensorFlow Lite have in one form: inputs in the same places. */

const FOLDED: Readonly<Partial<Record<BinaryOperator, (a: number, b: number) => number>>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

/** Of two values, or of one and a constant; of two numbers where a graph computes sizes. */
export function arithmetic(c: OperatorContext, operator: BinaryOperator): Operand {
  const [left, right] = [c.operand(0), c.operand(1)];
  if (!isConstant(left) || !isConstant(right)) return binary(c, operator, left, right);
  const apply = FOLDED[operator];
  const [a, b] = [left.data[0], right.data[0]];
  if (!apply || left.data.length !== 1 || right.data.length !== 1) return notMapped('it has constants only');
  return { shape: left.shape, data: Float32Array.of(apply(a as number, b as number)) };
}

export function squaredDifference(c: OperatorContext): Value {
  const difference = binary(c, 'sub', c.operand(0), c.operand(1), `${c.name}_difference`);
  return binary(c, 'mul', difference, difference);
}

export const reciprocalRoot = (c: OperatorContext): Value =>
  unary(c, 'reciprocal', unary(c, 'sqrt', c.value(0), `${c.name}_root`));

export function expandDims(c: OperatorContext): Operand {
  const input = c.operand(0);
  const [axis] = c.integers(1);
  if (isConstant(input)) return input.data.length === 1 ? { shape: [1], data: input.data } : notMapped('a constant');
  const shape = c.shape(input);
  const place = positiveAxis(axis as number, shape.length + 1);
  if (place === 0) notMapped('an axis before the batch');
  return reshape(c, input, [...shape.slice(1, place), 1, ...shape.slice(place)]);
}

/** `sizes` count the batch. */
export function reshapeTo(c: OperatorContext, sizes: readonly number[]): Operand {
  const input = c.operand(0);
  if (!isConstant(input)) return reshape(c, input, sizes.slice(1));
  const known = elementCount(sizes.filter((size) => size !== -1));
  const shape = sizes.map((size) => (size === -1 ? input.data.length / known : size));
  const fits = elementCount(shape) === input.data.length;
  return fits ? { shape, data: input.data } : notMapped(`the shape [${sizes.join(', ')}] of a constant`);
}

/** Values along an axis that counts the batch; lists of sizes one after another. */
export function concatenation(c: OperatorContext, count: number, axis: number): Operand {
  const operands = Array.from({ length: count }, (_, place) => c.operand(place));
  if (!operands.every(isConstant)) return concat(c, c.values(count), axis);
  const constants = operands as readonly Constant[];
  if (!constants.every(({ shape }) => shape.length === 1)) return notMapped('constants that are no lists');
  const data = Float32Array.from(constants.flatMap((constant) => [...constant.data]));
  return { shape: [data.length], data };
}

/** The input and window of a convolution, and what makes its result one on maps that are shared out, where its input is. */
export function dilatable(
  c: OperatorContext,
  window: Window,
): [input: Value, window: Window, finish: (value: Value) => Value] {
  const input = c.anyValue(0);
  if (!isSharedOut(input)) return [input, window, (value) => value];
  const { layer, order, block } = input;
  const shared = (value: Value): SharedOut => ({ ...value, block, padding: null });
  return [{ layer, order }, dilatedWindow(input, window), shared];
}

export const spaceToBatchOperator = (c: OperatorContext): Value =>
  spaceToBatch(c.value(0), c.integers(1), c.integers(2));

export const batchToSpaceOperator = (c: OperatorContext): Value =>
  batchToSpace(c, c.anyValue(0), c.integers(1), c.integers(2));

/** Margins are pairs for each axis; what fills them is 0 or the third input. */
export function padding(c: OperatorContext, mode: 'constant' | 'reflect'): Value {
  const margins = c.integers(1);
  const before = margins.filter((_, index) => index % 2 === 0);
  const after = margins.filter((_, index) => index % 2 === 1);
  const fill = mode === 'constant' && c.operands[2] ? (c.constant(2).data[0] ?? 0) : 0;
  return pad(c, c.value(0), before, after, mode, fill);
}

export function resizing(
  c: OperatorContext,
  mode: 'linear' | 'nearest',
  alignCorners: boolean,
  halfPixel: boolean,
): Value {
  const [height, width] = c.integers(1) as [number, number];
  if (alignCorners) {
    return resize(c, c.value(0), [height, width], {
      mode,
      coordinates: 'align_corners',
      rounding: 'round_prefer_ceil',
    });
  }
  const half = mode === 'linear' ? 'half_pixel' : 'tf_half_pixel_for_nn';
  const coordinates = halfPixel ? half : 'asymmetric';
  return resize(c, c.value(0), [height, width], { mode, coordinates, rounding: 'floor' });
}

/** x / (bias + alpha sum over 2 radius + 1 channels of x^2)^beta; ours divides alpha by the window's size. */
export function localResponseNorm(
  c: OperatorContext,
  { radius, bias, alpha, beta }: { radius: number; bias: number; alpha: number; beta: number },
): Value {
  const input = asMaps(c, c.value(0));
  const size = 2 * radius + 1;
  const layer = c.builder.add({
    name: c.name,
    inputs: [input.layer],
    kind: 'localResponseNorm',
    size,
    before: radius,
    alpha: alpha * size,
    beta,
    k: bias,
  });
  return { layer, order: input.order };
}
