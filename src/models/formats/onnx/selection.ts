import type { ValueType } from '../../layers/input.js';
import { LIMITS } from '../../limits.js';
import { binary, type Converter, type Converters, frontAxis } from './converter.js';
import type { Operation } from './node.js';
import { isInteger } from './types.js';

const gather: Converter = (op) => {
  const data = op.layer(0);
  const axis = frontAxis(op, op.int('axis', 0), op.shape(data).length);
  const index = op.constant(1);
  if (index && index.shape.length === 0) return op.value(oneOf(op, data, axis, index.data[0] as number));
  return op.value(op.add({ kind: 'gather', inputs: [data, op.layer(1)], axis }));
};

/** One place along an axis, which goes. */
function oneOf(op: Operation, x: string, axis: number, index: number): string {
  const shape = op.shape(x);
  const size = shape[axis] as number;
  const at = index < 0 ? index + size : index;
  if (!(at >= 0 && at < size)) op.fail(`index ${index} of ${size} elements.`);
  if (axis === 0 && op.builder.isBatched(x)) return op.fail('it picks one of the batch.');
  const range = { axes: [axis], starts: [at], ends: [at + 1], steps: [1] };
  const part = op.add({ kind: 'slice', inputs: [x], ...range });
  const kept = shape.toSpliced(axis, 1);
  const target = op.builder.isBatched(x) ? [0, ...kept.slice(1)] : kept;
  return op.step('element', { kind: 'reshape', inputs: [part], shape: target });
}

/** Where the indices are fewer along other axes too, the data is cut to them. */
const gatherElements: Converter = (op) => {
  const [data, indices] = [op.layer(0), op.layer(1)];
  const [from, to] = [op.shape(data), op.shape(indices)];
  const axis = frontAxis(op, op.int('axis', 0), from.length);
  const cut = from.flatMap((size, i) => (i !== axis && (to[i] ?? 0) < size ? [i] : []));
  const source =
    cut.length === 0
      ? data
      : op.step('cut', {
          kind: 'slice',
          inputs: [data],
          axes: cut,
          starts: cut.map(() => 0),
          ends: cut.map((i) => to[i] as number),
          steps: cut.map(() => 1),
        });
  return op.value(op.add({ kind: 'gatherElements', inputs: [source, indices], axis }));
};

/** on where the index counts to the place along the new axis, else off. */
const oneHot: Converter = (op) => {
  if (op.isOpen(1)) return null;
  const depth = Math.trunc(op.required(1).data[0] as number);
  const indices = op.layer(0);
  const shape = op.shape(indices);
  const axis = frontAxis(op, op.int('axis', -1), shape.length + 1);
  if (!(depth >= 1 && depth <= LIMITS.channels)) return op.problem(`depth = ${depth}`);
  const values = op.layer(2);
  const hot = classesOf(op, indices, axis, depth, true);
  const [off, on] = [0, 1].map((at) =>
    op.step(`value${at}`, { kind: 'slice', inputs: [values], axes: [0], starts: [at], ends: [at + 1], steps: [1] }),
  ) as [string, string];
  return op.value(op.add({ kind: 'where', inputs: [hot, on, off] }), op.type(2));
};

/** 1 where a value is the number of its place along a new axis, else 0; negative values may count from the end. */
export function classesOf(op: Operation, indices: string, axis: number, depth: number, countsBack: boolean): string {
  const shape = op.shape(indices);
  const widened = shape.toSpliced(axis, 0, 1);
  const target = op.builder.isBatched(indices) && axis > 0 ? [0, ...widened.slice(1)] : widened;
  const column = op.step('column', { kind: 'reshape', inputs: [indices], shape: target });
  const places = [depth, ...shape.slice(axis).map(() => 1)];
  const numbered = (part: string, first: number) =>
    op.numbers(
      part,
      Array.from({ length: depth }, (_, i) => first + i),
      places,
    );
  const forward = binary(op, 'isClass', 'equal', column, numbered('classes', 0));
  if (!countsBack) return forward;
  const backward = binary(op, 'isClassFromEnd', 'equal', column, numbered('classesFromEnd', -depth));
  return binary(op, 'hot', 'or', forward, backward);
}

/** What a type makes of a value. */
export function castTo(op: Operation, layer: string, to: ValueType): string {
  const from = op.type();
  const saturate = op.int('saturate', 1) === 1 && !isInteger(to);
  const powers = op.text('round_mode', 'up');
  if (powers !== 'up' && powers !== 'down' && powers !== 'nearest') op.fail(`round_mode = ${powers}.`);
  if (to === 'float32' || to === 'float64' || to === from) return layer;
  return op.add({ kind: 'roundTo', inputs: [layer], type: to, saturate, powers });
}

export const SELECTIONS: Converters = { Gather: gather, GatherElements: gatherElements, OneHot: oneHot };
