import type { AdaptiveAveragePoolLayer, GlobalAveragePoolLayer, MaxPoolIndicesLayer } from '../../../layers/pooling.js';
import type { PoolLayer } from '../../../network.js';
import { type GraphWriter, type Operation, operation } from './graphWriter.js';

/** The lowest float32. */
const LOWEST = -3.4028234663852886e38;

/**
 * Padding that makes the windows of the floor rule what the layer's are: runtimes differ in the last window of the ceil rule
 * (whether it is there, what its divisor is), none differs in explicit padding.
 */
export function explicitPads(
  layer: PoolLayer | MaxPoolIndicesLayer,
  input: readonly number[],
  output: readonly number[],
): number[] {
  const end = (axis: 0 | 1, before: number, after: number): number => {
    const [size, windows] = [input[axis + 2] as number, output[axis + 2] as number];
    const reach = (layer.kernel[axis] - 1) * layer.dilation[axis] + 1;
    return Math.max(after, (windows - 1) * layer.stride[axis] + reach - size - before);
  };
  const { top, left, bottom, right } = layer.padding;
  return [top, left, layer.ceilMode ? end(0, top, bottom) : bottom, layer.ceilMode ? end(1, left, right) : right];
}

/** MaxPool or AveragePool. */
export function pool(layer: PoolLayer, graph: GraphWriter): Operation {
  const { kernel, stride, dilation, padding } = layer;
  const pads = explicitPads(layer, graph.inputShape(layer), graph.shape(layer.name));
  const window = { kernel_shape: kernel, strides: stride };
  if (layer.kind === 'maxPool') return maxPool(layer, pads, graph);
  if (dilation.some((distance) => distance !== 1)) return dilatedAverage(layer, pads, graph);
  const { top, left, bottom, right } = padding;
  const isPadded = top + left + bottom + right > 0;
  if (!layer.countIncludePad || !isPadded) {
    return operation('AveragePool', [graph.value(layer)], { ...window, pads, count_include_pad: 0 });
  }
  if (!layer.ceilMode) {
    return operation('AveragePool', [graph.value(layer)], { ...window, pads, count_include_pad: 1 });
  }
  // The layer's padding counts, what the ceil rule adds behind it does not: so pad first.
  const places = graph.integers('pads', [0, 0, top, left, 0, 0, bottom, right]);
  const padded = graph.step('Pad', [graph.value(layer), places]);
  const rest = pads.map((size, index) => size - ([top, left, bottom, right][index] as number));
  return operation('AveragePool', [padded], { ...window, pads: rest, count_include_pad: 0 });
}

/** Runtimes want padding below the kernel's size, dilated or not: more is put around the maps first, lower than any pixel. */
function maxPool(layer: PoolLayer, pads: readonly number[], graph: GraphWriter): Operation {
  const { kernel, stride, dilation } = layer;
  const window = { kernel_shape: kernel, strides: stride, dilations: dilation };
  const x = graph.value(layer);
  if (pads.every((size, index) => size < (kernel[index % 2] as number)))
    return operation('MaxPool', [x], { ...window, pads });
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  const places = graph.integers('pads', [0, 0, top, left, 0, 0, bottom, right]);
  return operation('MaxPool', [graph.step('Pad', [x, places, graph.constant('lowest', LOWEST)])], window);
}

/** Sums as a convolution with ones, over the number of pixels of each window: AveragePool got dilations in operator set 19. */
function dilatedAverage(layer: PoolLayer, pads: readonly number[], graph: GraphWriter): Operation {
  const [, channels = 1, height = 1, width = 1] = graph.inputShape(layer);
  const [, , outHeight = 1, outWidth = 1] = graph.shape(layer.name);
  const { kernel, stride, dilation, padding, countIncludePad } = layer;
  const ones = new Float32Array(channels * kernel[0] * kernel[1]).fill(1);
  const sums = graph.step('Conv', [graph.value(layer), graph.constant('ones', ones, [channels, 1, ...kernel])], {
    kernel_shape: kernel,
    strides: stride,
    dilations: dilation,
    pads,
    group: channels,
  });
  const taps = (axis: 0 | 1, size: number, windows: number, before: number, after: number): number[] => {
    const [first, end] = countIncludePad ? [-before, size + after] : [0, size];
    return Array.from({ length: windows }, (_, window) => {
      const places = Array.from(
        { length: kernel[axis] },
        (__, tap) => window * stride[axis] - before + tap * dilation[axis],
      );
      return places.filter((place) => place >= first && place < end).length;
    });
  };
  const rows = taps(0, height, outHeight, padding.top, padding.bottom);
  const columns = taps(1, width, outWidth, padding.left, padding.right);
  const counts = Float32Array.from(rows.flatMap((row) => columns.map((column) => row * column)));
  return operation('Div', [sums, graph.constant('counts', counts, [1, 1, outHeight, outWidth])]);
}

export function globalAveragePool(layer: GlobalAveragePoolLayer, graph: GraphWriter): Operation {
  if (!layer.flatten) return operation('GlobalAveragePool', [graph.value(layer)]);
  return operation('ReduceMean', [graph.value(layer)], { axes: [2, 3], keepdims: 0 });
}

/** Row o holds the shares of the pixels floor(o n / m) to ceil((o + 1) n / m) in the mean that is pixel o of m. */
function shares(size: number, means: number): Float32Array {
  const matrix = new Float32Array(means * size);
  for (let o = 0; o < means; o++) {
    const [start, end] = [Math.floor((o * size) / means), Math.ceil(((o + 1) * size) / means)];
    matrix.fill(1 / (end - start), o * size + start, o * size + end);
  }
  return matrix;
}

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  return matrix.map((_, index) => matrix[(index % rows) * columns + Math.floor(index / rows)] as number);
}

/** Equal windows where the sizes divide; else means along both axes as products with constant matrices. */
export function adaptiveAveragePool(layer: AdaptiveAveragePoolLayer, graph: GraphWriter): Operation {
  const [, , height = 1, width = 1] = graph.inputShape(layer);
  const [outHeight, outWidth] = layer.size;
  if (outHeight === 1 && outWidth === 1) return operation('GlobalAveragePool', [graph.value(layer)]);
  if (height % outHeight === 0 && width % outWidth === 0) {
    const window = [height / outHeight, width / outWidth];
    return operation('AveragePool', [graph.value(layer)], { kernel_shape: window, strides: window });
  }
  const rows = graph.constant('rows', shares(height, outHeight), [outHeight, height]);
  const columns = transposed(shares(width, outWidth), outWidth, width);
  const means = graph.step('MatMul', [rows, graph.value(layer)]);
  return operation('MatMul', [means, graph.constant('columns', columns, [width, outWidth])]);
}
