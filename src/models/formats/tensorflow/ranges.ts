import { type Range, reshape, slice } from './shaping.js';
import type { Operand, OperatorContext } from './operatorContext.js';
import { type Constant, isConstant, notMapped, positiveAxis, type Value } from './value.js';

const integers = (values: readonly number[]): Constant => ({ shape: [values.length], data: Float32Array.from(values) });

/** The shape of a value is known here, with 1 for the batch: converters compute targets of reshapes from it. */
export function shapeOf(c: OperatorContext): Constant {
  return integers(c.shape(c.value(0)));
}

/** Scalars in a list. */
export function pack(c: OperatorContext): Constant {
  const items = c.operands.map((_, place) => c.constant(place));
  if (items.some(({ data }) => data.length !== 1)) notMapped('values that are no single numbers');
  return integers(items.map(({ data }) => data[0] as number));
}

/** A size out of a shape. */
export function gather(c: OperatorContext): Constant {
  const [{ shape, data }, index] = [c.constant(0), c.integers(1)];
  if (shape.length !== 1 || index.length !== 1) return notMapped('values that are no list of sizes');
  return { shape: [], data: Float32Array.of(data[index[0] as number] ?? notMapped(`index ${index[0]}`)) };
}

/** `count` parts of equal size along an axis. */
export function split(c: OperatorContext, input: Value, count: number, along: number): readonly Value[] {
  const shape = c.shape(input);
  const axis = positiveAxis(along, shape.length);
  const size = (shape[axis] as number) / count;
  if (!(count >= 1) || count > MAX_PARTS || !Number.isInteger(size)) return notMapped(`num_split = ${count}`);
  return Array.from({ length: count }, (_, part) => {
    const range = { axis, start: part * size, end: (part + 1) * size, step: 1 };
    return slice(c, input, [range], `${c.name}_${part}`);
  });
}

const MAX_PARTS = 1024;

/** Of StridedSlice; bit i is of axis i. */
export interface Masks {
  readonly begin: number;
  readonly end: number;
  readonly ellipsis: number;
  readonly newAxis: number;
  readonly shrink: number;
}

/** NumPy's ranges; begins, ends and strides are inputs 1, 2 and 3. */
export function stridedSlice(c: OperatorContext, masks: Masks): Operand {
  const [begin, end, strides] = [c.integers(1), c.integers(2), c.integers(3)];
  const { begin: beginMask, end: endMask, ellipsis, newAxis, shrink } = masks;
  if (ellipsis !== 0 || newAxis !== 0) return notMapped('ellipsis_mask or new_axis_mask');
  const input = c.operand(0);
  const shape = isConstant(input) ? input.shape : c.shape(input);
  if (begin.length > shape.length || end.length !== begin.length || strides.length !== begin.length) {
    return notMapped(`${begin.length} ranges of a value with ${shape.length} axes`);
  }
  const ranges = begin.map((start, axis): Range => {
    const size = shape[axis] as number;
    const step = strides[axis] as number;
    if (step === 0) return notMapped('a stride of 0');
    if ((shrink >> axis) & 1) {
      const place = start < 0 ? start + size : start;
      return { axis, start: place, end: place + 1, step: 1 };
    }
    return {
      axis,
      start: (beginMask >> axis) & 1 ? (step > 0 ? 0 : size - 1) : start,
      end: (endMask >> axis) & 1 ? (step > 0 ? size : -size - 1) : (end[axis] as number),
      step,
    };
  });
  if (isConstant(input)) return sliceOfList(input, ranges, (shrink & 1) === 1);
  const kept = slice(c, input, ranges);
  if (shrink === 0) return kept;
  if (shrink & 1) return notMapped('it removes the batch');
  const sizes = c.shape(kept).filter((_, axis) => axis > 0 && !((shrink >> axis) & 1));
  return reshape(c, kept, sizes, `${c.name}_shrunk`);
}

function sliceOfList({ shape, data }: Constant, [range]: readonly Range[], isScalar: boolean): Constant {
  if (shape.length !== 1 || !range || range.step !== 1) return notMapped('a slice of a constant that is no list');
  const values = data.slice(range.start, range.end);
  if (!isScalar) return { shape: [values.length], data: values };
  return values.length === 1 ? { shape: [], data: values } : notMapped('a place outside of a list');
}
