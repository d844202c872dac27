import { elementCount } from '../../../../kernels/tensor.js';
import type { Operation } from '../node.js';
import { frontAxes, frontAxis } from '../converter.js';
import { partSizes, rangeLength, rangesOf, targetShape } from '../arrangement.js';
import { type Budget, broadcastShape, broadcastStrides, type Fold, stridesOf, walk } from './folder.js';
import type { Constant } from '../value.js';

const constant: Fold = (op, budget) => {
  if (op.has('value')) return budget.read(op, 'value');
  if (op.has('value_float')) return op.result([], Float32Array.of(op.float('value_float', 0)), 'float32');
  if (op.has('value_int')) return op.result([], Float64Array.of(op.int('value_int', 0)), 'int64');
  if (op.has('value_ints')) return listed(op, op.ints('value_ints') ?? [], 'int64');
  if (op.has('value_floats')) return listed(op, op.node.attributes.get('value_floats')?.floats ?? [], 'float32');
  return op.fail('it has no numeric value.');
};

function listed(op: Operation, list: readonly number[], type: 'int64' | 'float32'): Constant {
  return op.result([list.length], type === 'int64' ? Float64Array.from(list) : Float32Array.from(list), type);
}

const constantOfShape: Fold = (op, budget) => {
  const value = op.has('value') ? budget.read(op, 'value') : null;
  return budget.make(op, [...op.required(0).data], value?.type ?? 'float32', (data) => data.fill(value?.data[0] ?? 0));
};

const range: Fold = (op, budget) => {
  const [start, limit, delta] = [0, 1, 2].map((index) => op.required(index).data[0] as number) as [
    number,
    number,
    number,
  ];
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (!Number.isFinite(count)) return null;
  return budget.make(op, [count], op.type(), (data) => {
    for (let i = 0; i < count; i++) data[i] = start + i * delta;
  });
};

/** A strided view of a constant as a constant of its own. */
function taken(
  op: Operation,
  budget: Budget,
  source: Constant,
  shape: readonly number[],
  view: { start: number; strides: readonly number[] },
  output = 0,
): Constant {
  return budget.make(
    op,
    shape,
    source.type,
    (data) => {
      walk(shape, [view], (index, [place]) => {
        data[index] = source.data[place as number] as number;
      });
    },
    output,
  );
}

const gather: Fold = (op, budget) => {
  const [source, indices] = [op.required(0), op.required(1)];
  const axis = frontAxis(op, op.int('axis', 0), source.shape.length);
  const size = source.shape[axis] as number;
  const inner = source.shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const shape = [...source.shape.slice(0, axis), ...indices.shape, ...source.shape.slice(axis + 1)];
  const chosen = indices.data.length;
  return budget.make(op, shape, source.type, (data) => {
    for (let i = 0; i < data.length; i++) {
      const line = Math.floor(i / inner);
      const index = indices.data[line % chosen] as number;
      const at = index < 0 ? index + size : index;
      if (!(at >= 0 && at < size)) op.fail(`index ${index} of ${size} elements.`);
      data[i] = source.data[(Math.floor(line / chosen) * size + at) * inner + (i % inner)] as number;
    }
  });
};

const concat: Fold = (op, budget) => {
  const parts = op.inputs.map((_, index) => op.required(index));
  const [first] = parts;
  if (!first) return op.fail('it has no inputs.');
  const axis = frontAxis(op, op.int('axis', 1), first.shape.length);
  const others = (part: Constant) => part.shape.map((size, i) => (i === axis ? '*' : size)).join();
  if (parts.some((part) => others(part) !== others(first))) op.fail('its inputs differ beside the axis.');
  const total = parts.reduce((sum, part) => sum + (part.shape[axis] as number), 0);
  const before = elementCount(first.shape.slice(0, axis));
  const inner = elementCount(first.shape.slice(axis + 1));
  return budget.make(op, first.shape.with(axis, total), first.type, (data) => {
    let at = 0;
    for (let outer = 0; outer < before; outer++) {
      for (const part of parts) {
        const length = (part.shape[axis] as number) * inner;
        data.set(part.data.subarray(outer * length, (outer + 1) * length), at);
        at += length;
      }
    }
  });
};

/** Reshaping, removing and adding axes of size 1: the values stay. */
const viewed =
  (shapeOf: (op: Operation, source: Constant) => readonly number[]): Fold =>
  (op, budget) =>
    budget.view(op, op.required(0), shapeOf(op, op.required(0)));

function unsqueezed(op: Operation, source: Constant): number[] {
  const list = op.listOf('axes', 1) ?? op.fail('axes are missing.');
  const rank = source.shape.length + list.length;
  const added = frontAxes(op, list, rank);
  const rest = [...source.shape];
  return Array.from({ length: rank }, (_, axis) => (added.includes(axis) ? 1 : (rest.shift() as number)));
}

function squeezed(op: Operation, source: Constant): number[] {
  const list = op.listOf('axes', 1);
  const axes = list && frontAxes(op, list, source.shape.length);
  return source.shape.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1));
}

function reshaped(op: Operation, source: Constant): readonly number[] {
  const target = op.ints('shape') ?? [...op.required(1).data];
  return (
    targetShape(op, source.shape, target) ??
    op.fail(`[${source.shape.join(', ')}] cannot become [${target.join(', ')}].`)
  );
}

function flattened(op: Operation, { shape }: Constant): number[] {
  const axis = op.int('axis', 1);
  const at = axis < 0 ? axis + shape.length : axis;
  return [elementCount(shape.slice(0, at)), elementCount(shape.slice(at))];
}

const slice: Fold = (op, budget) => {
  const source = op.required(0);
  const ranges = rangesOf(op, source.shape.length);
  if (!ranges) return null;
  const shape = [...source.shape];
  const strides = stridesOf(source.shape);
  let first = 0;
  for (const each of ranges) {
    const size = source.shape[each.axis] as number;
    const stride = strides[each.axis] as number;
    const start = each.start < 0 ? each.start + size : each.start;
    shape[each.axis] = rangeLength(each, size);
    first += Math.min(each.step > 0 ? size : size - 1, Math.max(each.step > 0 ? 0 : -1, start)) * stride;
    strides[each.axis] = stride * each.step;
  }
  return taken(op, budget, source, shape, { start: first, strides });
};

const split: Fold = (op, budget) => {
  const source = op.required(0);
  const axis = frontAxis(op, op.int('axis', 0), source.shape.length);
  const sizes = partSizes(op, source.shape[axis] as number);
  if (!sizes) return null;
  const strides = stridesOf(source.shape);
  let start = 0;
  return sizes.map((size, output) => {
    const part = taken(op, budget, source, source.shape.with(axis, size), { start, strides }, output);
    start += size * (strides[axis] as number);
    return part;
  });
};

/** Reorders axes, e.g. of the weights of a dense layer: still a weight. */
const transpose: Fold = (op, budget) => {
  const source = op.required(0);
  const perm = op.ints('perm') ?? source.shape.map((_, axis) => source.shape.length - 1 - axis);
  const isPermutation = [...perm].sort((a, b) => a - b).every((axis, index) => axis === index);
  if (perm.length !== source.shape.length || !isPermutation)
    op.fail(`perm [${perm.join(', ')}] does not fit its input.`);
  const strides = stridesOf(source.shape);
  const view = { start: 0, strides: perm.map((axis) => strides[axis] as number) };
  const shape = perm.map((axis) => source.shape[axis] as number);
  return { ...taken(op, budget, source, shape, view), isWeight: source.isWeight ?? false };
};

const expand: Fold = (op, budget) => {
  const source = op.required(0);
  const shape = broadcastShape(op, [source.shape, [...op.required(1).data]]);
  if (shape.some((size) => Number.isNaN(size))) return null;
  return taken(op, budget, source, shape, { start: 0, strides: broadcastStrides(source.shape, shape) });
};

const tile: Fold = (op, budget) => {
  const source = op.required(0);
  const repeats = [...op.required(1).data];
  const strides = stridesOf(source.shape);
  const shape = source.shape.map((size, axis) => size * (repeats[axis] ?? 1));
  return budget.make(op, shape, source.type, (data) => {
    walk(shape, [{ start: 0, strides: shape.map(() => 0) }], (index) => {
      let [rest, at] = [index, 0];
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        at += ((rest % (shape[axis] as number)) % (source.shape[axis] as number)) * (strides[axis] as number);
        rest = Math.floor(rest / (shape[axis] as number));
      }
      data[index] = source.data[at] as number;
    });
  });
};

const shapeOf: Fold = (op) => sizesOf(op, op.required(0).shape);

/** The sizes of a value, or some of them. */
export function sizesOf(op: Operation, shape: readonly number[]): Constant {
  const list = shape.slice(op.int('start', 0), op.has('end') ? op.int('end', 0) : undefined);
  return listed(op, list, 'int64');
}

export const ARRANGEMENT_FOLDS: Readonly<Record<string, Fold>> = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  Shape: shapeOf,
  Size: (op) => op.result([], Float64Array.of(op.required(0).data.length), 'int64'),
  Identity: viewed((_, source) => source.shape),
  Gather: gather,
  Concat: concat,
  Unsqueeze: viewed(unsqueezed),
  Squeeze: viewed(squeezed),
  Reshape: viewed(reshaped),
  Flatten: viewed(flattened),
  Slice: slice,
  Split: split,
  Transpose: transpose,
  Expand: expand,
  Tile: tile,
};
