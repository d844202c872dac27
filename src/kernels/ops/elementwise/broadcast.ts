import { EngineError } from '../../errors.js';
import type { LayoutKind, Shape, Tensor } from '../../tensor.js';
import { stridesOf } from '../view/view.js';

/** Most dimensions that broadcasting takes. */
const MAX_RANK = 8;

/**
 * A tensor as an operand. `shape` is what it counts as beside the others: its own, or, of a dense tensor, another view of the
 * same elements (a slope [C] as [C, 1, 1]).
 */
export interface Operand {
  readonly tensor: Tensor;
  readonly shape: Shape;
}

export const operand = (tensor: Tensor): Operand => ({ tensor, shape: tensor.shape });

/**
 * The shape of two operands together, by NumPy's and ONNX's rule: aligned at their last dimensions, where a size of 1 and a
 * missing dimension repeat. Throws `INVALID_SHAPE` where sizes differ otherwise.
 */
export function broadcastShape(what: string, x: Shape, y: Shape): Shape {
  const rank = Math.max(x.length, y.length);
  const sizeOf = (shape: Shape, dimension: number) => shape[dimension - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, dimension) => {
    const [a, b] = [sizeOf(x, dimension), sizeOf(y, dimension)];
    if (rank > MAX_RANK || (a !== b && a !== 1 && b !== 1)) {
      throw new EngineError(
        'INVALID_SHAPE',
        `${what}: [${x.join(', ')}] and [${y.join(', ')}] do not broadcast. Aligned at the last dimension, sizes must be equal or 1, in at most ${MAX_RANK} dimensions.`,
      );
    }
    return Math.max(a, b);
  });
}

/** Where a result of several tensors lies: in rows where one of them does and the rank allows it, else dense. */
export function layoutOfAll(operands: readonly Tensor[], shape: Shape): LayoutKind {
  const fitsRows = shape.length === 2 || shape.length === 4;
  return fitsRows && operands.some(({ layout }) => layout === 'rows') ? 'rows' : 'dense';
}

/** An operand's strides along the dimensions of `whole`, 0 where it repeats. */
export function broadcastStrides({ tensor, shape }: Operand, whole: Shape): number[] {
  const own = stridesOf({ shape, layout: tensor.layout });
  const offset = whole.length - shape.length;
  return whole.map((_, dimension) =>
    (shape[dimension - offset] ?? 1) === 1 ? 0 : (own[dimension - offset] as number),
  );
}

/** Nested loops over elements of several tensors: sizes from the outermost to the innermost, strides by tensor. */
export interface Walk {
  readonly sizes: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/**
 * The fewest loops that visit what `dimensions` span: those of size 1 are left out, neighbours that are evenly spaced in all
 * tensors become one; in the order in which the first tensor lies in memory.
 */
export function walk(dimensions: readonly number[], sizes: Shape, strides: readonly (readonly number[])[]): Walk {
  const [leading = []] = strides;
  const order = dimensions
    .filter((dimension) => sizes[dimension] !== 1)
    .sort((a, b) => (leading[b] as number) - (leading[a] as number) || a - b);
  const loops: { size: number; steps: number[] }[] = [];
  for (const dimension of order) {
    const size = sizes[dimension] as number;
    const steps = strides.map((each) => each[dimension] as number);
    const last = loops.at(-1);
    if (last && last.steps.every((step, tensor) => step === (steps[tensor] as number) * size)) {
      last.size *= size;
      last.steps = steps;
    } else {
      loops.push({ size, steps });
    }
  }
  return {
    sizes: loops.map((loop) => loop.size),
    strides: strides.map((_, tensor) => loops.map((loop) => loop.steps[tensor] as number)),
  };
}
