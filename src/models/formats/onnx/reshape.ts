import type { ImportBuilder } from '../importBuilder.js';
import { base, positive, product, show, value } from './converter.js';
import type { Operation, Value } from './node.js';

/** Flattens, unless the input is a vector already. */
function toVector(op: Operation, builder: ImportBuilder): Value {
  if (builder.shape(op.layer()).length === 1) return value(op.layer());
  return value(builder.add({ ...base(op), kind: 'flatten', axis: 1 }));
}

export function flatten(op: Operation, builder: ImportBuilder): Value {
  const rank = builder.shape(op.layer()).length + 1;
  const [axis] = positive([op.int('axis', 1)], rank);
  return axis === 1 ? toVector(op, builder) : op.problem(`axis = ${op.int('axis', 1)}`);
}

/** What flattens each picture, or keeps its shape. NaN, 0, -1 and 1 in front stand for the batch. */
export function reshape(op: Operation, builder: ImportBuilder): Value {
  const shape = builder.shape(op.layer());
  const target = op.has('shape') ? (op.ints('shape') ?? []) : [...op.required(1).data];
  const elements = product(shape);
  const [, ...sizes] = target;
  const copied =
    op.int('allowzero', 0) === 1 ? sizes : sizes.map((size, axis) => (size === 0 ? (shape[axis] ?? 0) : size));
  const known = product(copied.filter((size) => size !== -1));
  const result = copied.map((size) => (size === -1 ? elements / known : size));
  if (result.length === 1 && result[0] === elements) return toVector(op, builder);
  if (result.join() === shape.join()) return value(op.layer());
  return op.problem(`from [N, ${shape.join(', ')}] to ${show(target)}; only flattening is known`);
}

export function squeeze(op: Operation, builder: ImportBuilder): Value {
  const shape = builder.shape(op.layer());
  const axes = op.listOf('axes', 1);
  const isPixel = shape.length === 3 && shape[1] === 1 && shape[2] === 1;
  if (isPixel && axes && positive(axes, 4).join() === '2,3') return toVector(op, builder);
  return op.problem(`axes = ${show(axes)} of [N, ${shape.join(', ')}]; only height and width of one pixel can go`);
}

/** Shape: a list of sizes with the batch as NaN. */
export function shapeOf(op: Operation, builder: ImportBuilder): Value {
  const sizes = [Number.NaN, ...builder.shape(op.layer())];
  const list = sizes.slice(op.int('start', 0), op.has('end') ? op.int('end', 0) : undefined);
  const name = op.node.outputs[0] ?? op.name;
  return { kind: 'constant', name, shape: [list.length], data: Float64Array.from(list) };
}
