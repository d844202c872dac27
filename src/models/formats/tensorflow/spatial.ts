import type { ReduceLayer } from '../../layers/reduction.js';
import type { ResizeLayer } from '../../layers/spatial.js';
import { asMaps, asSame, notMapped, ourAxis, positiveAxis, type Target, type Value } from './value.js';
import { type Pair, type Window, windowPadding } from './weighted.js';

export function pool(
  target: Target,
  kind: 'maxPool' | 'averagePool',
  value: Value,
  kernel: Pair,
  window: Window,
): Value {
  const input = asMaps(target, value);
  const [, height, width] = target.shape(input) as [number, number, number, number];
  const layer = target.builder.add({
    name: target.name,
    inputs: [input.layer],
    kind,
    kernel,
    stride: window.strides,
    padding: windowPadding([height, width], kernel, window),
    dilation: window.dilation,
    ceilMode: false,
    countIncludePad: false,
  });
  return { layer, order: 'maps' };
}

/** `axes` count the batch. */
export function reduce(
  target: Target,
  operator: ReduceLayer['operator'],
  value: Value,
  axes: readonly number[],
  keepDims: boolean,
  name = target.name,
): Value {
  const rank = target.shape(value).length;
  const places = [...new Set(axes.map((axis) => positiveAxis(axis, rank)))];
  if (places.includes(0)) notMapped('it reduces the batch');
  const isMap = value.order === 'maps' && places.length === 2 && places.includes(1) && places.includes(2);
  if (isMap && operator === 'mean') {
    const base = { name, inputs: [value.layer] };
    const layer = target.builder.add({ ...base, kind: 'globalAveragePool', flatten: !keepDims });
    return { layer, order: keepDims ? 'maps' : 'same' };
  }
  // What is left of [N, C, H, W] has TensorFlow's order where the channels go, or height and width both.
  const staysInOrder = keepDims || places.includes(3) || isMap;
  const input = value.order === 'same' || (value.order === 'maps' && staysInOrder) ? value : asSame(target, value);
  const layer = target.builder.add({
    name,
    inputs: [input.layer],
    kind: 'reduce',
    operator,
    axes: places.map((axis) => ourAxis(input, axis)).sort((a, b) => a - b),
    keepDims,
  });
  return { layer, order: keepDims ? input.order : 'same' };
}

export function resize(
  target: Target,
  value: Value,
  size: Pair,
  options: Pick<ResizeLayer, 'mode' | 'coordinates' | 'rounding'>,
): Value {
  const input = asMaps(target, value);
  const base = { name: target.name, inputs: [input.layer] };
  return { layer: target.builder.add({ ...base, kind: 'resize', size, scale: null, ...options }), order: 'maps' };
}
