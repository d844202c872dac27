import { pooledLength } from '../../../../kernels/ops/window.js';
import type { AdaptiveAveragePoolLayer, GlobalAveragePoolLayer } from '../../../layers/pooling.js';
import type { ReduceLayer } from '../../../layers/reduction.js';
import type { PadLayer, ResizeLayer } from '../../../layers/spatial.js';
import type { Layer, Padding, PoolLayer, ZeroPadLayer } from '../../../network.js';
import { inexpressible, type KerasValue, type KerasWriter, plain } from './kerasWriter.js';
import { isSame, padded } from './weighted.js';

/** Kinds that have no negative outputs where their inputs have none. */
const KEEPS_SIGN = new Set(['maxPool', 'averagePool', 'concat', 'add', 'dropout', 'zeroPad', 'stochasticDepth']);

/** Whether no value can be below 0, so that zeros around a map are as good as minus infinity to the largest of a window. */
function isNeverNegative(w: KerasWriter, layer: Layer, depth = 0): boolean {
  if (layer.kind === 'activation') {
    const { activation } = layer;
    if (typeof activation === 'string') return ['relu', 'relu6', 'sigmoid', 'softplus'].includes(activation);
    return activation.kind === 'hardSigmoid' || (activation.kind === 'clip' && (activation.min ?? -1) >= 0);
  }
  if (layer.kind === 'softmax') return true;
  return (
    depth < 4 &&
    KEEPS_SIGN.has(layer.kind) &&
    layer.inputs.every((name) => isNeverNegative(w, w.layer(name), depth + 1))
  );
}

/** Padding that makes as many windows as ceil mode has. */
function withCeil(layer: PoolLayer, height: number, width: number): Padding {
  const { kernel, stride, padding, ceilMode } = layer;
  if (!ceilMode) return padding;
  const extra = (size: number, axis: 0 | 1, before: number, after: number): number => {
    const length = pooledLength(size, kernel[axis], stride[axis], before, after, true);
    return Math.max(0, (length - 1) * stride[axis] + kernel[axis] - size - before - after);
  };
  return {
    ...padding,
    bottom: padding.bottom + extra(height, 0, padding.top, padding.bottom),
    right: padding.right + extra(width, 1, padding.left, padding.right),
  };
}

export function pool(w: KerasWriter, layer: PoolLayer): KerasValue {
  const { kernel, stride, dilation, kind, countIncludePad, ceilMode } = layer;
  if (Math.max(...dilation) > 1) return inexpressible('dilation');
  const [, , height, width] = w.inputShape(layer) as [number, number, number, number];
  const padding = withCeil(layer, height, width);
  const isPlain = Object.values(padding).every((size) => size === 0);
  const className = kind === 'maxPool' ? 'MaxPooling2D' : 'AveragePooling2D';
  const config = { pool_size: kernel, strides: stride, data_format: 'channels_last' };
  const input = w.input(layer);
  if (isPlain) return plain(w.add(layer.name, className, { ...config, padding: 'valid' }, [input]));
  const excludesPadding = kind === 'maxPool' || (!countIncludePad && !ceilMode);
  if (excludesPadding && isSame(padding, [height, width], layer)) {
    return plain(w.add(layer.name, className, { ...config, padding: 'same' }, [input]));
  }
  const source = w.layer(layer.inputs[0] as string);
  const takesZeros = kind === 'maxPool' ? isNeverNegative(w, source) : countIncludePad && !ceilMode;
  if (!takesZeros) return inexpressible('padding that is not TensorFlow\'s "same"');
  const wide = padded(w, layer.name, input, padding);
  return plain(w.add(layer.name, className, { ...config, padding: 'valid' }, [wide]));
}

/** A vector for each map, as a map of one pixel where it stays one. */
function pooled(w: KerasWriter, layer: Layer, className: string, isVector: boolean): KerasValue {
  const channels = w.inputShape(layer)[1] as number;
  const name = isVector ? layer.name : `${layer.name}_vector`;
  const vector = w.add(name, className, { data_format: 'channels_last' }, [w.input(layer)]);
  return plain(isVector ? vector : w.add(layer.name, 'Reshape', { target_shape: [1, 1, channels] }, [vector]));
}

export const globalAveragePool = (w: KerasWriter, layer: GlobalAveragePoolLayer): KerasValue =>
  pooled(w, layer, 'GlobalAveragePooling2D', layer.flatten);

export function reduce(w: KerasWriter, layer: ReduceLayer): KerasValue {
  const isSpatial =
    w.inputShape(layer).length === 4 && layer.axes.length === 2 && layer.axes.includes(2) && layer.axes.includes(3);
  if (!isSpatial || (layer.operator !== 'mean' && layer.operator !== 'max')) return inexpressible(layer.operator);
  const className = layer.operator === 'mean' ? 'GlobalAveragePooling2D' : 'GlobalMaxPooling2D';
  return pooled(w, layer, className, !layer.keepDims);
}

/** Windows of one size, where the map can be shared out so. */
export function adaptiveAveragePool(w: KerasWriter, layer: AdaptiveAveragePoolLayer): KerasValue {
  const sides = w.inputShape(layer).slice(2);
  const kernel = layer.size.map((size, axis) => (sides[axis] as number) / size);
  if (!kernel.every(Number.isInteger)) return inexpressible(`${layer.size.join(' x ')} of ${sides.join(' x ')} pixels`);
  if (kernel.every((size) => size === 1)) return plain(w.input(layer));
  const config = { pool_size: kernel, strides: kernel, padding: 'valid', data_format: 'channels_last' };
  return plain(w.add(layer.name, 'AveragePooling2D', config, [w.input(layer)]));
}

export const zeroPad = (w: KerasWriter, layer: ZeroPadLayer): KerasValue =>
  plain(padded(w, layer.name, w.input(layer), layer.padding));

/** Zeros around a map; negative margins cut it. */
export function pad(w: KerasWriter, layer: PadLayer): KerasValue {
  const { axes, before, after, mode, value } = layer;
  const isSpatial = w.inputShape(layer).length === 4 && axes.every((axis) => axis === 2 || axis === 3);
  if (mode !== 'constant' || value !== 0 || !isSpatial) return inexpressible(`mode ${mode}, value ${value}`);
  const margin = (axis: 2 | 3, list: readonly number[], sign: 1 | -1): number =>
    Math.max(0, sign * (list[(axes as readonly number[]).indexOf(axis)] ?? 0));
  const margins = (sign: 1 | -1): Padding => ({
    top: margin(2, before, sign),
    bottom: margin(2, after, sign),
    left: margin(3, before, sign),
    right: margin(3, after, sign),
  });
  const wide = padded(w, layer.name, w.input(layer), margins(1));
  const { top, bottom, left, right } = margins(-1);
  if (top + bottom + left + right === 0) return plain(wide);
  const cropping = [
    [top, bottom],
    [left, right],
  ];
  return plain(w.add(layer.name, 'Cropping2D', { cropping, data_format: 'channels_last' }, [wide]));
}

/** TF.js enlarges by whole numbers, with places that begin at the corner. */
export function resize(w: KerasWriter, layer: ResizeLayer): KerasValue {
  const sides = w.inputShape(layer).slice(2);
  const size = layer.size.map((length, axis) => length / (sides[axis] as number));
  const isNearest = layer.mode === 'nearest' && ['asymmetric', 'tf_half_pixel_for_nn'].includes(layer.coordinates);
  const isLinear = layer.mode === 'linear' && layer.coordinates === 'asymmetric';
  const fits = layer.scale === null && size.every((factor) => Number.isInteger(factor));
  if (!fits || (!(isNearest && layer.rounding === 'floor') && !isLinear)) {
    return inexpressible(`${layer.mode} with ${layer.coordinates} by ${size.join(' x ')}`);
  }
  const config = { size, data_format: 'channels_last', interpolation: isNearest ? 'nearest' : 'bilinear' };
  return plain(w.add(layer.name, 'UpSampling2D', config, [w.input(layer)]));
}
