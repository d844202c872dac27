import type { PoolLayer } from '../../../network.js';
import { type GraphWriter, type Operation, operation } from './graphWriter.js';

/**
 * Padding that makes the windows of the floor rule what the layer's are: runtimes differ in the last window of the ceil rule
 * (whether it is there, what its divisor is), none differs in explicit padding.
 */
function explicitPads(layer: PoolLayer, input: readonly number[], output: readonly number[]): number[] {
  const end = (axis: 0 | 1, before: number, after: number): number => {
    const [size, windows] = [input[axis + 1] as number, output[axis + 1] as number];
    const covered = (windows - 1) * layer.stride[axis] + layer.kernel[axis];
    return Math.max(after, covered - size - before);
  };
  const { top, left, bottom, right } = layer.padding;
  return [top, left, layer.ceilMode ? end(0, top, bottom) : bottom, layer.ceilMode ? end(1, left, right) : right];
}

/** MaxPool or AveragePool. */
export function pool(layer: PoolLayer, graph: GraphWriter): Operation {
  const { kernel, stride, padding } = layer;
  const pads = explicitPads(layer, graph.inputShape(layer), graph.shape(layer.name));
  const window = { kernel_shape: kernel, strides: stride };
  if (layer.kind === 'maxPool') return operation('MaxPool', [graph.value(layer)], { ...window, pads });
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
