import { elementCount } from '../../../../kernels/tensor.js';
import { ModelError } from '../../../errors.js';
import type { ValueType } from '../../../layers/input.js';
import { checkedElements } from '../../numbers.js';
import type { Operation } from '../node.js';
import type { OnnxTensor } from '../proto.js';
import { type ReadExternal, readConstant } from '../tensor.js';
import { isWide } from '../types.js';
import type { Constant } from '../value.js';

/** Values that constants computed from others may have in all, whatever the file's size, and more for each value in the file. */
const ALWAYS_COMPUTED = 2 ** 24;
const COMPUTED_PER_VALUE = 8;

export type Data = Float32Array | Float64Array;
/** Computes an operator on constants; null where it does not know how. */
export type Fold = (op: Operation, budget: Budget) => Constant | readonly Constant[] | null;

/** Counts what is computed, so that a small file cannot fill the memory. */
export class Budget {
  private computed = 0;
  private allowed = ALWAYS_COMPUTED;

  constructor(private readonly readExternal: ReadExternal) {}

  /** A new constant; `fill` gets zeros. Throws INVALID_FILE. */
  make(op: Operation, shape: readonly number[], type: ValueType, fill: (data: Data) => void, output = 0): Constant {
    const elements = checkedElements(shape, `ONNX: the output of ${op.name}`);
    this.computed += elements;
    if (this.computed > this.allowed) {
      throw new ModelError('INVALID_FILE', `ONNX: the file computes more than ${this.allowed} constant values.`);
    }
    const data = isWide(type) || type === 'float64' ? new Float64Array(elements) : new Float32Array(elements);
    fill(data);
    return op.result(shape, data, type, output);
  }

  /** A tensor of the file itself. Throws INVALID_FILE. */
  readTensor(tensor: OnnxTensor, name: string): Constant {
    const constant = readConstant(tensor, name, this.readExternal);
    this.allowed += COMPUTED_PER_VALUE * constant.data.length;
    return constant;
  }

  /** The same values under another shape. */
  view(op: Operation, source: Constant, shape: readonly number[], type: ValueType = source.type): Constant {
    const elements = checkedElements(shape, `ONNX: the output of ${op.name}`);
    if (elements !== source.data.length) op.fail(`its ${source.data.length} values do not make [${shape.join(', ')}].`);
    return { ...op.result(shape, source.data, type), isWeight: source.isWeight ?? false };
  }

  read(op: Operation, attribute: string): Constant {
    const tensor = op.tensor(attribute) ?? op.fail(`${attribute} is missing.`);
    return this.readTensor(tensor, op.node.outputs[0] || op.name);
  }
}

/** Elements from one index to the next along each axis. */
export const stridesOf = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => elementCount(shape.slice(axis + 1)));

/** Calls `visit` with the places of all elements of `shape` in each of some strided views, in row-major order. */
export function walk(
  shape: readonly number[],
  views: readonly { readonly start: number; readonly strides: readonly number[] }[],
  visit: (index: number, places: readonly number[]) => void,
): void {
  const count = elementCount(shape);
  const position = shape.map(() => 0);
  const places = views.map(({ start }) => start);
  for (let index = 0; index < count; index++) {
    visit(index, places);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] as number;
      const at = (position[axis] as number) + 1;
      const isLast = at === size;
      views.forEach(({ strides }, view) => {
        places[view] = (places[view] as number) + (strides[axis] as number) * (isLast ? 1 - size : 1);
      });
      position[axis] = isLast ? 0 : at;
      if (!isLast) break;
    }
  }
}

/** Strides of a shape along the dimensions of a larger one, 0 where it repeats. */
export function broadcastStrides(shape: readonly number[], whole: readonly number[]): number[] {
  const strides = stridesOf(shape);
  const missing = whole.length - shape.length;
  return whole.map((_, axis) =>
    axis < missing || shape[axis - missing] === 1 ? 0 : (strides[axis - missing] as number),
  );
}

/** NumPy's rule. Throws INVALID_FILE. */
export function broadcastShape(op: Operation, shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const size = sizes.find((each) => each !== 1) ?? 1;
    if (sizes.some((each) => each !== 1 && each !== size))
      op.fail(`its inputs do not broadcast: ${shapes.map((shape) => `[${shape.join(', ')}]`).join(', ')}.`);
    return size;
  });
}
