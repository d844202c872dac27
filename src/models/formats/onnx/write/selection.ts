import type { MaxPoolIndicesLayer } from '../../../layers/pooling.js';
import type { ArgExtremeLayer, TopKLayer } from '../../../layers/selection.js';
import type { Layer } from '../../../network.js';
import { type GraphWriter, inexpressible, type Operation, operation } from './graphWriter.js';
import { explicitPads } from './pooling.js';

/** TensorProto.DataType. */
const [FLOAT, INT64] = [1, 7];

/** Places are integers in ONNX and numbers like all others here. */
const asFloat = (indices: string): Operation => operation('Cast', [indices], { to: FLOAT as number });

/** Data, and indices as integers. */
export function indexed(layer: Layer, graph: GraphWriter): string[] {
  const [data, indices] = graph.allValues(layer) as [string, string];
  return [data, graph.step('Cast', [indices], { to: INT64 as number })];
}

export function argExtreme(layer: ArgExtremeLayer, graph: GraphWriter): Operation {
  const attributes = {
    axis: layer.axis,
    keepdims: layer.keepDims ? 1 : 0,
    select_last_index: layer.select === 'last' ? 1 : 0,
  };
  return asFloat(graph.step(layer.extreme === 'max' ? 'ArgMax' : 'ArgMin', [graph.value(layer)], attributes));
}

export function topK(layer: TopKLayer, graph: GraphWriter): Operation {
  const inputs = [graph.value(layer), graph.integers('k', [layer.k])];
  const attributes = { axis: layer.axis, largest: layer.largest ? 1 : 0, sorted: 1 };
  if (layer.output === 'values') return { operator: 'TopK', inputs, attributes, unused: [0, 1] };
  return asFloat(graph.step('TopK', inputs, attributes, [1, 0]));
}

/** The second output of MaxPool. */
export function maxPoolIndices(layer: MaxPoolIndicesLayer, graph: GraphWriter): Operation {
  const { kernel, stride, dilation, order } = layer;
  const pads = explicitPads(layer, graph.inputShape(layer), graph.shape(layer.name));
  if (pads.some((size, index) => size >= (kernel[index % 2] as number))) {
    throw inexpressible(layer, `padding ${pads.join(', ')} of a window of ${kernel.join(' x ')}`);
  }
  const attributes = {
    kernel_shape: kernel,
    strides: stride,
    dilations: dilation,
    pads,
    storage_order: order === 'columnMajor' ? 1 : 0,
  };
  return asFloat(graph.step('MaxPool', [graph.value(layer)], attributes, [1, 0]));
}
