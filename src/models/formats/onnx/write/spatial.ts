import type { PadLayer, ResizeLayer } from '../../../layers/spatial.js';
import type { Layer, ZeroPadLayer } from '../../../network.js';
import { type GraphWriter, inexpressible, type Operation, operation } from './graphWriter.js';

/**
 * ONNX Runtime moves a padding with 0 into the pooling behind it, whose padding is minus infinity (seen in 1.30). It leaves one with
 * the smallest normal float32, which no result is changed by.
 */
const NOT_QUITE_ZERO = 2 ** -126;

const border = (layer: Layer, graph: GraphWriter, value: number): string[] => {
  const safe = value === 0 && graph.feedsPool(layer) ? NOT_QUITE_ZERO : value;
  return safe === 0 ? [] : [graph.constant('value', safe)];
};

export function zeroPad(layer: ZeroPadLayer, graph: GraphWriter): Operation {
  const { top, left, bottom, right } = layer.padding;
  const pads = graph.integers('pads', [0, 0, top, left, 0, 0, bottom, right]);
  return operation('Pad', [graph.value(layer), pads, ...border(layer, graph, 0)]);
}

export function pad(layer: PadLayer, graph: GraphWriter): Operation {
  const { axes, before, after, mode, value } = layer;
  // Since operator set 19.
  if (mode === 'wrap') throw inexpressible(layer, 'mode wrap');
  const along = (sizes: readonly number[]): number[] =>
    graph.inputShape(layer).map((_, axis) => sizes[axes.indexOf(axis)] ?? 0);
  const inputs = [graph.value(layer), graph.integers('pads', [...along(before), ...along(after)])];
  if (mode === 'constant') inputs.push(...border(layer, graph, value));
  return operation('Pad', inputs, { mode });
}

/** Pixel `o` of the nearest-neighbour rule with TensorFlow's places, which ONNX has no longer. */
function nearestPixel({ rounding }: ResizeLayer, o: number, scale: number, size: number): number {
  const place = (o + 0.5) / scale;
  const rounded = {
    floor: Math.floor(place),
    ceil: Math.ceil(place),
    round_prefer_floor: Math.ceil(place - 0.5),
    round_prefer_ceil: Math.floor(place + 0.5),
  }[rounding];
  return Math.min(size - 1, Math.max(0, rounded));
}

/** Rows and columns picked one axis after the other. */
function picked(layer: ResizeLayer, graph: GraphWriter): Operation {
  const [height = 1, width = 1] = graph.inputShape(layer).slice(2);
  const indices = (what: string, axis: 0 | 1, size: number) => {
    const scale = layer.scale?.[axis] ?? layer.size[axis] / size;
    return graph.integers(
      what,
      Array.from({ length: layer.size[axis] }, (_, o) => nearestPixel(layer, o, scale, size)),
    );
  };
  const rows = graph.step('Gather', [graph.value(layer), indices('rows', 0, height)], { axis: 2 });
  return operation('Gather', [rows, indices('columns', 1, width)], { axis: 3 });
}

/** By sizes, the batch's own being taken from the value; by scales where the places are computed with others than the sizes'. */
export function resize(layer: ResizeLayer, graph: GraphWriter): Operation {
  const { size, scale, mode, coordinates, rounding } = layer;
  if (coordinates === 'tf_half_pixel_for_nn' && mode === 'nearest') return picked(layer, graph);
  const x = graph.value(layer);
  const input = graph.inputShape(layer);
  const areFitting = scale === null || size.every((length, axis) => length === scaled(input, scale, axis));
  if (coordinates === 'tf_half_pixel_for_nn' || !areFitting) {
    const attribute = areFitting
      ? `${mode} with ${coordinates}`
      : `scale ${scale?.join(', ')} for the size ${size.join(', ')}`;
    throw inexpressible(layer, attribute);
  }
  const attributes = {
    mode,
    coordinate_transformation_mode: coordinates,
    ...(mode === 'nearest' ? { nearest_mode: rounding } : {}),
  };
  if (scale) {
    return operation('Resize', [x, '', graph.constant('scales', Float32Array.of(1, 1, ...scale), [4])], attributes);
  }
  const [start, end] = [graph.integers('start', [0]), graph.integers('end', [2])];
  const outer = graph.step('Slice', [graph.step('Shape', [x]), start, end]);
  const sizes = graph.step('Concat', [outer, graph.integers('size', size)], { axis: 0 });
  return operation('Resize', [x, '', '', sizes], attributes);
}

const scaled = (input: readonly number[], scale: readonly number[], axis: number): number =>
  Math.floor((input[axis + 2] as number) * (scale[axis] as number));
