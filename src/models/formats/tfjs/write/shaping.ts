import { elementCount } from '../../../../kernels/tensor.js';
import type {
  ChannelShuffleLayer,
  ConcatLayer,
  FlattenLayer,
  ReshapeLayer,
  TransposeLayer,
} from '../../../layers/arrangement.js';
import type { Layer } from '../../../network.js';
import { distinctInputs } from './weighted.js';
import { inexpressible, type KerasValue, type KerasWriter, plain } from './kerasWriter.js';

/** Of the axes of [N, C, H, W], where they lie in [N, H, W, C]. */
const THEIRS = [0, 3, 1, 2] as const;

/** Where axis `axis` of our value with `rank` axes lies in TF.js. */
export const theirAxis = (axis: number, rank: number): number => (rank === 4 ? (THEIRS[axis] as number) : axis);

/** A value in our order of axes. `dims` of Permute count from 1, without the batch. */
function inOurs(w: KerasWriter, name: string, input: string, shape: readonly number[]): string {
  const [, channels = 1, height = 1, width = 1] = shape;
  if (shape.length !== 4 || liesAlike(channels, height, width)) return input;
  return w.add(`${name}_nchw`, 'Permute', { dims: [3, 1, 2] }, [input]);
}

/** Maps of one pixel or one channel have one order of elements in both. */
const liesAlike = (channels: number, height: number, width: number): boolean => channels === 1 || height * width === 1;

/** A value that has our order of elements, in a shape of ours. */
function shaped(w: KerasWriter, name: string, input: string, shape: readonly number[]): string {
  const [, channels = 1, height = 1, width = 1] = shape;
  if (shape.length !== 4) return w.add(name, 'Reshape', { target_shape: shape.slice(1) }, [input]);
  if (liesAlike(channels, height, width)) {
    return w.add(name, 'Reshape', { target_shape: [height, width, channels] }, [input]);
  }
  const rows = w.add(`${name}_nchw`, 'Reshape', { target_shape: shape.slice(1) }, [input]);
  return w.add(name, 'Permute', { dims: [2, 3, 1] }, [rows]);
}

/** Whether only dense layers see the elements: their weights are rearranged then. */
function onlyDenseReads(w: KerasWriter, layer: Layer): boolean {
  if (layer.name === w.output.name) return false;
  return w.readersOf(layer.name).every((reader) => {
    const passesOn = reader.kind === 'dropout' || (reader.kind === 'activation' && isOneLayer(reader.activation));
    return reader.kind === 'dense' || (passesOn && onlyDenseReads(w, reader));
  });
}

const isOneLayer = (activation: unknown): boolean =>
  typeof activation === 'string' && activation !== 'hardSwish' && activation !== 'geluTanh';

export function flatten(w: KerasWriter, layer: FlattenLayer): KerasValue {
  if (layer.axis !== 1) return inexpressible(`axis ${layer.axis}`);
  const shape = w.inputShape(layer);
  const input = w.value(layer);
  if (shape.length === 2) return input;
  const [, channels = 1, height = 1, width = 1] = shape;
  if (shape.length === 4 && !liesAlike(channels, height, width) && onlyDenseReads(w, layer)) {
    return { name: w.add(layer.name, 'Flatten', {}, [input.name]), flat: [channels, height, width] };
  }
  return plain(w.add(layer.name, 'Flatten', {}, [inOurs(w, layer.name, w.input(layer), shape)]));
}

/** Reshapes in our order of elements. */
export function reshape(w: KerasWriter, layer: ReshapeLayer): KerasValue {
  const [from, to] = [w.inputShape(layer), w.shape(layer)];
  if (from.join() === to.join()) return plain(w.input(layer));
  if (from[0] !== to[0] || elementCount(from) !== elementCount(to)) return inexpressible('it mixes pictures');
  return plain(shaped(w, layer.name, inOurs(w, layer.name, w.input(layer), from), to));
}

export function transpose(w: KerasWriter, layer: TransposeLayer): KerasValue {
  const { permutation } = layer;
  const rank = permutation.length;
  if (permutation[0] !== 0) return inexpressible('it moves the batch');
  // Axis i of theirs is axis ours[i] of ours.
  const ours = rank === 4 ? [0, 2, 3, 1] : permutation.map((_, axis) => axis);
  const dims = ours.map((axis) => theirAxis(permutation[axis] as number, rank)).slice(1);
  return plain(w.add(layer.name, 'Permute', { dims }, [w.input(layer)]));
}

export function concat(w: KerasWriter, layer: ConcatLayer): KerasValue {
  const inputs = distinctInputs(w, layer);
  const axis = theirAxis(layer.axis, w.shape(layer).length);
  return plain(w.add(layer.name, 'Concatenate', { axis }, inputs));
}

export function channelShuffle(w: KerasWriter, layer: ChannelShuffleLayer): KerasValue {
  const [, channels, height, width] = w.shape(layer) as [number, number, number, number];
  const groups = { target_shape: [height, width, layer.groups, channels / layer.groups] };
  const grouped = w.add(`${layer.name}_groups`, 'Reshape', groups, [w.input(layer)]);
  const turned = w.add(`${layer.name}_turned`, 'Permute', { dims: [1, 2, 4, 3] }, [grouped]);
  return plain(w.add(layer.name, 'Reshape', { target_shape: [height, width, channels] }, [turned]));
}
