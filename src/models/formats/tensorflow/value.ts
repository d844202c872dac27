import type { ImportBuilder } from '../importBuilder.js';

/**
 * TensorFlow's maps are [N, H, W, C], ours [N, C, H, W]. A value says in which order of axes our layer holds it:
 *
 * - `same`: the axes are TensorFlow's.
 * - `maps`: TensorFlow's [N, H, W, C], held as [N, C, H, W].
 * - `flat`: TensorFlow's [N, H W C], the flattening of such maps, held as [N, C H W].
 */
export type Order = 'same' | 'maps' | { readonly flat: MapShape };
export type MapShape = readonly [channels: number, height: number, width: number];

/** The output of a layer or operator of the file. */
export interface Value {
  /** Our layer that computes it. */
  readonly layer: string;
  readonly order: Order;
}

/** A tensor that the file holds, in TensorFlow's order of axes. */
export interface Constant {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export const isConstant = (operand: Value | Constant): operand is Constant => 'data' in operand;

/** What is thrown where a layer of the file cannot be mapped: becomes one entry of the list in an UNSUPPORTED error. */
export class NotMapped extends Error {
  constructor(readonly attribute: string) {
    super(attribute);
  }
}

export function notMapped(attribute: string): never {
  throw new NotMapped(attribute);
}

/** Where the layers that one layer or operator of the file becomes are put. */
export class Target {
  constructor(
    readonly builder: ImportBuilder,
    /** Name of the layer in the file. */
    readonly name: string,
  ) {}

  /** Shape in TensorFlow's order, with the batch (1) in front. */
  shape({ layer, order }: Value): number[] {
    const shape = this.builder.completeShape(layer);
    if (order !== 'maps') return [...shape];
    const [n, c, h, w] = shape as [number, number, number, number];
    return [n, h, w, c];
  }

  /** Adds a weight in our order of axes; `name` is what the file calls it within its layer. */
  weight(name: string, shape: readonly number[], data: Float32Array): string {
    return this.builder.weight(`${this.name}/${name}`, shape, data);
  }
}

/** Of the axes of [N, H, W, C], where they lie in [N, C, H, W]. */
const OURS = [0, 2, 3, 1] as const;

/** Where an axis of TensorFlow's lies in our layer. Flat values have their features at 1 as in TensorFlow. */
export const ourAxis = ({ order }: Value, axis: number): number => (order === 'maps' ? (OURS[axis] as number) : axis);

/** Resolves a negative axis. Throws NotMapped for one that the shape does not have. */
export function positiveAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  return Number.isInteger(positive) && positive >= 0 && positive < rank
    ? positive
    : notMapped(`axis ${axis} of a value with ${rank} axes`);
}

/** Maps of one pixel or of one channel lie in memory alike in both orders. */
export const liesAlike = (height: number, width: number, channels: number): boolean =>
  height * width === 1 || channels === 1;

/** The value with its channels in front, [N, C, H, W]. Throws NotMapped where it has not four axes. */
export function asMaps(target: Target, value: Value): Value {
  if (value.order === 'maps') return value;
  const shape = target.shape(value);
  if (shape.length !== 4) notMapped(`its input is [${shape.join(', ')}], where it needs [N, height, width, channels]`);
  const [, height, width, channels] = shape as [number, number, number, number];
  const base = { name: `${value.layer}_nchw`, inputs: [value.layer] };
  const layer = liesAlike(height, width, channels)
    ? target.builder.add({ ...base, kind: 'reshape', shape: [0, channels, height, width] })
    : target.builder.add({ ...base, kind: 'transpose', permutation: [0, 3, 1, 2] });
  return { layer, order: 'maps' };
}

/** The value in TensorFlow's own order of axes. */
export function asSame(target: Target, value: Value): Value {
  if (value.order === 'same') return value;
  if (value.order !== 'maps') {
    const [channels, height, width] = value.order.flat;
    const map = target.builder.add({
      name: `${value.layer}_map`,
      inputs: [value.layer],
      kind: 'reshape',
      shape: [0, channels, height, width],
    });
    const { layer } = asSame(target, { layer: map, order: 'maps' });
    const name = `${value.layer}_flat`;
    return { layer: target.builder.add({ name, inputs: [layer], kind: 'flatten', axis: 1 }), order: 'same' };
  }
  const [, height, width, channels] = target.shape(value) as [number, number, number, number];
  const base = { name: `${value.layer}_nhwc`, inputs: [value.layer] };
  const layer = liesAlike(height, width, channels)
    ? target.builder.add({ ...base, kind: 'reshape', shape: [0, height, width, channels] })
    : target.builder.add({ ...base, kind: 'transpose', permutation: [0, 2, 3, 1] });
  return { layer, order: 'same' };
}

/** Values in one order: all as maps where one is a map, all alike where all are flat in one way, else as TensorFlow's. */
export function alike(target: Target, values: readonly Value[]): Value[] {
  const [first] = values as [Value];
  if (values.some(({ order }) => order === 'maps') && values.every((value) => target.shape(value).length === 4)) {
    return values.map((value) => asMaps(target, value));
  }
  const key = ({ order }: Value) => (typeof order === 'string' ? order : order.flat.join());
  return values.every((value) => key(value) === key(first))
    ? [...values]
    : values.map((value) => asSame(target, value));
}
