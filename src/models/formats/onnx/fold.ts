import { ModelError } from '../../errors.js';
import { checkedElements } from '../numbers.js';
import type { Operation } from './node.js';
import { type Constant, readConstant } from './tensor.js';

/** Most values that constants computed from others may have in all: 1 GiB of float32. */
const MAX_COMPUTED = 2 ** 28;

type Data = Float32Array | Float64Array;
type Folder = (op: Operation, folding: ConstantFolder) => Constant | null;

const product = (shape: readonly number[]): number => shape.reduce((result, size) => result * size, 1);
const like = (data: Data, length: number): Data =>
  data instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);

/** Computes what depends on constants (and on shapes) only: how exporters write reshapes, clip bounds and weights. */
export class ConstantFolder {
  private computed = 0;

  constructor(private readonly readExternal: (location: string) => Uint8Array | undefined) {}

  /** The constant that a node computes; null where it computes none, or after telling `op.problem`. */
  fold(op: Operation): Constant | null {
    const folder = FOLDERS[op.node.operator];
    if (!folder || !Object.hasOwn(FOLDERS, op.node.operator)) return null;
    if (!op.inputs.every((input) => input === undefined || input?.kind === 'constant')) return null;
    return folder(op, this);
  }

  /** A new constant; the sum of all is limited, so that a small file cannot fill the memory. */
  make(op: Operation, shape: readonly number[], fill: (elements: number) => Data): Constant {
    const elements = checkedElements(shape, `ONNX: the output of ${op.name}`);
    this.computed += elements;
    if (this.computed > MAX_COMPUTED) {
      throw new ModelError('INVALID_FILE', `ONNX: the file computes more than ${MAX_COMPUTED} constant values.`);
    }
    const data = fill(elements);
    if (data.length !== elements) op.fail(`its ${data.length} values do not make [${shape.join(', ')}].`);
    return { kind: 'constant', name: op.node.outputs[0] ?? op.name, shape, data };
  }

  read(op: Operation, attribute: string): Constant {
    const tensor = op.tensor(attribute) ?? op.fail(`${attribute} is missing.`);
    return readConstant(tensor, op.node.outputs[0] ?? op.name, this.readExternal);
  }
}

function constant(op: Operation, folding: ConstantFolder): Constant {
  if (op.has('value')) return folding.read(op, 'value');
  for (const key of ['value_float', 'value_int'] as const) {
    if (op.has(key)) {
      const value = key === 'value_float' ? op.float(key, 0) : op.int(key, 0);
      return folding.make(op, [], () => Float64Array.of(value));
    }
  }
  const floats = op.node.attributes.get('value_floats')?.floats;
  const list = floats ?? op.ints('value_ints') ?? op.fail('it has no numeric value.');
  return folding.make(op, [list.length], () => Float64Array.from(list));
}

function constantOfShape(op: Operation, folding: ConstantFolder): Constant {
  const value = op.has('value') ? folding.read(op, 'value').data : Float32Array.of(0);
  const shape = [...op.required(0).data];
  return folding.make(op, shape, (elements) => like(value, elements).fill(value[0] ?? 0));
}

function gather(op: Operation, folding: ConstantFolder): Constant | null {
  const [source, indices] = [op.required(0), op.required(1)];
  if (op.int('axis', 0) !== 0 || source.shape.length !== 1) {
    return op.problem('gathers from a table; only elements of a list can be gathered');
  }
  const { data } = source;
  return folding.make(op, indices.shape, () =>
    Float64Array.from(
      indices.data,
      (index) => data[index < 0 ? index + data.length : index] ?? op.fail('out of range.'),
    ),
  );
}

function concat(op: Operation, folding: ConstantFolder): Constant | null {
  const parts = op.inputs.map((_, index) => op.required(index));
  if (op.int('axis', 0) !== 0 || parts.some((part) => part.shape.length !== 1)) {
    return op.problem('joins constants that are not lists');
  }
  const values = parts.flatMap((part) => [...part.data]);
  return folding.make(op, [values.length], () => Float64Array.from(values));
}

/** Reshaping, removing and adding axes of size 1: the values stay. */
function withShape(shapeOf: (op: Operation, source: Constant) => number[]): Folder {
  return (op, folding) => {
    const source = op.required(0);
    return folding.make(op, shapeOf(op, source), () => source.data);
  };
}

function unsqueezed(op: Operation, source: Constant): number[] {
  const axes = op.listOf('axes', 1) ?? op.fail('axes are missing.');
  const rank = source.shape.length + axes.length;
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = [...source.shape];
  return Array.from({ length: Math.min(rank, 32) }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() as number)));
}

function squeezed(op: Operation, source: Constant): number[] {
  const rank = source.shape.length;
  const axes = op.listOf('axes', 1)?.map((axis) => (axis < 0 ? axis + rank : axis));
  return source.shape.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1));
}

function reshaped(op: Operation, source: Constant): number[] {
  const target = [...op.required(1).data].map((size, axis) => (size === 0 ? (source.shape[axis] ?? 0) : size));
  const known = product(target.filter((size) => size !== -1));
  return target.map((size) => (size === -1 ? source.data.length / known : size));
}

function slice(op: Operation, folding: ConstantFolder): Constant | null {
  const source = op.required(0);
  const [start = 0] = op.listOf('starts', 1) ?? [];
  const [end = source.data.length] = op.listOf('ends', 2) ?? [];
  const [axis = 0] = op.listOf('axes', 3) ?? [];
  const [step = 1] = op.listOf('steps', 4) ?? [];
  if (source.shape.length !== 1 || axis !== 0 || step !== 1) {
    return op.problem('slices a constant that is not a list, or with steps');
  }
  const values = source.data.slice(start, end);
  return folding.make(op, [values.length], () => values);
}

/** Reorders axes, e.g. of the weights of a dense layer. */
function transpose(op: Operation, folding: ConstantFolder): Constant {
  const { shape, data } = op.required(0);
  const perm = op.ints('perm') ?? shape.map((_, axis) => shape.length - 1 - axis);
  const strides = shape.map((_, axis) => product(shape.slice(axis + 1)));
  const isPermutation = [...perm].sort((a, b) => a - b).every((axis, index) => axis === index);
  if (perm.length !== shape.length || !isPermutation) op.fail(`perm [${perm.join(', ')}] does not fit its input.`);
  const target = perm.map((axis) => shape[axis] as number);
  const steps = perm.map((axis) => strides[axis] as number);
  return folding.make(op, target, (elements) => {
    const result = like(data, elements);
    const position = target.map(() => 0);
    let from = 0;
    for (let index = 0; index < elements; index++) {
      result[index] = data[from] as number;
      for (let axis = target.length - 1; axis >= 0; axis--) {
        from += steps[axis] as number;
        position[axis] = (position[axis] as number) + 1;
        if ((position[axis] as number) < (target[axis] as number)) break;
        from -= (steps[axis] as number) * (target[axis] as number);
        position[axis] = 0;
      }
    }
    return result;
  });
}

/** Elementwise, for equal shapes or with a single value on one side. */
function elementwise(compute: (a: number, b: number) => number): Folder {
  return (op, folding) => {
    const [a, b] = [op.required(0), op.required(1)];
    const larger = a.data.length >= b.data.length ? a : b;
    for (const side of [a, b]) {
      if (side.data.length !== 1 && side.shape.join() !== larger.shape.join()) {
        return op.problem(`constants of the shapes [${a.shape.join(', ')}] and [${b.shape.join(', ')}]`);
      }
    }
    const at = (side: Constant, index: number) => side.data[side.data.length === 1 ? 0 : index] as number;
    return folding.make(op, larger.shape, (elements) => {
      const result = like(larger.data, elements);
      for (let index = 0; index < elements; index++) result[index] = compute(at(a, index), at(b, index));
      return result;
    });
  };
}

/** Only casts to integers change a number that is used as a shape; the rest stay in float64 or float32. */
function cast(op: Operation, folding: ConstantFolder): Constant {
  const source = op.required(0);
  const isInteger = [2, 3, 4, 5, 6, 7, 12, 13].includes(op.int('to', 1));
  return folding.make(op, source.shape, () => (isInteger ? Float64Array.from(source.data, Math.trunc) : source.data));
}

const FOLDERS: Readonly<Record<string, Folder>> = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Gather: gather,
  Concat: concat,
  Identity: withShape((_, source) => [...source.shape]),
  Unsqueeze: withShape(unsqueezed),
  Squeeze: withShape(squeezed),
  Reshape: withShape(reshaped),
  Slice: slice,
  Transpose: transpose,
  Cast: cast,
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Div: elementwise((a, b) => a / b),
};
