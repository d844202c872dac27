import { elementCount } from '../../../kernels/tensor.js';
import { alike, asSame, liesAlike, notMapped, ourAxis, positiveAxis, type Target, type Value } from './value.js';

/** A target shape with its -1 resolved; null where it does not fit. */
function resolved(target: readonly number[], elements: number): number[] | null {
  const open = target.filter((size) => size === -1).length;
  const known = elementCount(target.filter((size) => size !== -1));
  const rest = elements / known;
  const fits = open === 0 ? rest === 1 : open === 1 && Number.isInteger(rest);
  return fits ? target.map((size) => (size === -1 ? rest : size)) : null;
}

/**
 * TensorFlow's reshape. `sizes` are those behind the batch, with at most one -1. Flattened maps stay in our order, as `flat`; any
 * other change of a map's shape goes through TensorFlow's order, so that the elements end where it has them.
 */
export function reshape(target: Target, value: Value, sizes: readonly number[], name = target.name): Value {
  const from = target.shape(value).slice(1);
  const to = resolved(sizes, elementCount(from));
  if (!to) return notMapped(`the shape [${sizes.join(', ')}] from [${from.join(', ')}]`);
  if (to.join() === from.join()) return value;
  if (typeof value.order !== 'string') {
    const [channels, height, width] = value.order.flat;
    if (to.join() === [height, width, channels].join()) {
      const shape = [0, channels, height, width];
      return {
        layer: target.builder.add({ name, inputs: [value.layer], kind: 'reshape', shape }),
        order: 'maps',
      };
    }
  }
  if (value.order === 'maps' && to.length === 1) return flatten(target, value, name);
  const [height = 1, width = 1, channels = 1] = from;
  const hasOurOrder = value.order === 'maps' && liesAlike(height, width, channels);
  const { layer } = hasOurOrder ? value : asSame(target, value);
  const [toHeight = 1, toWidth = 1, toChannels = 1] = to;
  const isMap = to.length === 3 && liesAlike(toHeight, toWidth, toChannels);
  const shape = isMap ? [0, toChannels, toHeight, toWidth] : [0, ...to];
  return {
    layer: target.builder.add({ name, inputs: [layer], kind: 'reshape', shape }),
    order: isMap ? 'maps' : 'same',
  };
}

/** [N, everything else]. */
export function flatten(target: Target, value: Value, name = target.name): Value {
  const shape = target.shape(value);
  if (shape.length === 2) return value;
  if (shape.length === 1) return reshape(target, value, [1], name);
  const layer = target.builder.add({ name, inputs: [value.layer], kind: 'flatten', axis: 1 });
  if (value.order !== 'maps') return { layer, order: 'same' };
  const [, height, width, channels] = shape as [number, number, number, number];
  return { layer, order: liesAlike(height, width, channels) ? 'same' : { flat: [channels, height, width] } };
}

/** `permutation` counts the batch, which has to stay in front. */
export function transpose(target: Target, value: Value, permutation: readonly number[]): Value {
  const rank = target.shape(value).length;
  const axes = permutation.map((axis) => positiveAxis(axis, rank));
  if (axes.length !== rank || new Set(axes).size !== rank || axes[0] !== 0) {
    return notMapped(`the permutation [${permutation.join(', ')}]; the batch has to stay in front`);
  }
  const input = typeof value.order === 'string' ? value : asSame(target, value);
  const ours = axes.map((axis) => ourAxis(input, axis));
  if (ours.every((axis, place) => axis === place)) return { layer: input.layer, order: 'same' };
  const layer = target.builder.add({
    name: target.name,
    inputs: [input.layer],
    kind: 'transpose',
    permutation: ours,
  });
  return { layer, order: 'same' };
}

/** `axis` counts the batch. */
export function concat(target: Target, values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (!first) return notMapped('no inputs');
  if (values.length === 1) return first;
  const place = positiveAxis(axis, target.shape(first).length);
  if (place === 0) notMapped('axis 0, the batch');
  const isFlat = values.some(({ order }) => typeof order !== 'string');
  const inputs = isFlat ? values.map((value) => asSame(target, value)) : alike(target, values);
  const [head] = inputs as [Value];
  const layer = target.builder.add({
    name: target.name,
    inputs: inputs.map((input) => input.layer),
    kind: 'concat',
    axis: ourAxis(head, place),
  });
  return { layer, order: head.order };
}

export interface Range {
  /** Counts the batch. */
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Ranges as NumPy has them; axes without one stay whole. */
export function slice(target: Target, value: Value, ranges: readonly Range[], name = target.name): Value {
  const shape = target.shape(value);
  const cuts = ranges.filter(({ axis, start, end, step }) => !(start === 0 && step === 1 && end >= (shape[axis] ?? 0)));
  if (cuts.length === 0) return value;
  if (cuts.some(({ axis }) => axis === 0)) notMapped('a slice of the batch');
  const input = typeof value.order === 'string' ? value : asSame(target, value);
  const layer = target.builder.add({
    name,
    inputs: [input.layer],
    kind: 'slice',
    axes: cuts.map(({ axis }) => ourAxis(input, axis)),
    starts: cuts.map(({ start }) => start),
    ends: cuts.map(({ end }) => end),
    steps: cuts.map(({ step }) => step),
  });
  return { layer, order: input.order };
}

export type PadMode = 'constant' | 'reflect';

/** `before` and `after` by axis, the batch counted. */
export function pad(
  target: Target,
  value: Value,
  before: readonly number[],
  after: readonly number[],
  mode: PadMode = 'constant',
  fill = 0,
): Value {
  const axes = before.map((_, axis) => axis).filter((axis) => before[axis] !== 0 || after[axis] !== 0);
  if (axes.length === 0) return value;
  if (axes.includes(0)) notMapped('padding of the batch');
  const input = typeof value.order === 'string' ? value : asSame(target, value);
  const base = { name: target.name, inputs: [input.layer] };
  const isSpatial = input.order === 'maps' && axes.every((axis) => axis === 1 || axis === 2);
  if (isSpatial && mode === 'constant' && fill === 0) {
    const padding = {
      top: before[1] as number,
      left: before[2] as number,
      bottom: after[1] as number,
      right: after[2] as number,
    };
    return { layer: target.builder.add({ ...base, kind: 'zeroPad', padding }), order: 'maps' };
  }
  const layer = target.builder.add({
    ...base,
    kind: 'pad',
    axes: axes.map((axis) => ourAxis(input, axis)),
    before: axes.map((axis) => before[axis] as number),
    after: axes.map((axis) => after[axis] as number),
    mode,
    value: fill,
  });
  return { layer, order: input.order };
}

/** Removes axes of size 1. */
export function squeeze(target: Target, value: Value, axes: readonly number[] | null): Value {
  const shape = target.shape(value);
  const positions = axes?.map((axis) => positiveAxis(axis, shape.length));
  const gone = shape.map((size, axis) => (positions ? positions.includes(axis) : size === 1 && axis > 0));
  if (gone[0]) notMapped('it removes the batch');
  return reshape(
    target,
    value,
    shape.filter((_, axis) => axis > 0 && !gone[axis]),
  );
}

/** [N, H, W, b b C] -> [N, b H, b W, C]. */
export function depthToSpace(target: Target, value: Value, block: number): Value {
  const [, height, width, channels] = target.shape(value) as [number, number, number, number];
  const depth = channels / (block * block);
  if (target.shape(value).length !== 4 || !Number.isInteger(depth)) return notMapped(`block_size = ${block}`);
  const blocks = reshape(target, value, [height, width, block, block, depth], `${target.name}_blocks`);
  return reshape(target, swapped(target, blocks), [height * block, width * block, depth]);
}

/** [N, b H, b W, C] -> [N, H, W, b b C]. */
export function spaceToDepth(target: Target, value: Value, block: number): Value {
  const [, height, width, channels] = target.shape(value) as [number, number, number, number];
  const [rows, columns] = [height / block, width / block];
  const fits = target.shape(value).length === 4 && Number.isInteger(rows) && Number.isInteger(columns);
  if (!fits) return notMapped(`block_size = ${block}`);
  const blocks = reshape(target, value, [rows, block, columns, block, channels], `${target.name}_blocks`);
  return reshape(target, swapped(target, blocks), [rows, columns, block * block * channels]);
}

/** Axes 2 and 3 of [N, ., ., ., ., .] change places. */
function swapped(target: Target, { layer }: Value): Value {
  const base = { name: `${target.name}_turned`, inputs: [layer] };
  return { layer: target.builder.add({ ...base, kind: 'transpose', permutation: [0, 1, 3, 2, 4, 5] }), order: 'same' };
}
