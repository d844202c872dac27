import { unsupported } from '../../../errors.js';
import type { ActivationLayer, BatchNormLayer, Conv2dLayer, DenseLayer, Layer } from '../../../network.js';
import { type GraphWriter, type Operation, operation } from './graphWriter.js';
import { pool } from './pooling.js';

type LayerOf<K extends Layer['kind']> = Extract<Layer, { readonly kind: K }>;
type Writers = {
  readonly [K in Exclude<Layer['kind'], 'input'>]?: (layer: LayerOf<K>, graph: GraphWriter) => Operation | string;
};

const optional = (name: string | null, graph: GraphWriter): string[] => (name === null ? [] : [graph.weight(name)]);

function conv2d(layer: Conv2dLayer, graph: GraphWriter): Operation {
  const { kernel, stride, padding, dilation, groups } = layer;
  const inputs = [graph.value(layer), graph.weight(layer.weight), ...optional(layer.bias, graph)];
  return operation('Conv', inputs, {
    kernel_shape: kernel,
    strides: stride,
    pads: [padding.top, padding.left, padding.bottom, padding.right],
    dilations: dilation,
    group: groups,
  });
}

function dense(layer: DenseLayer, graph: GraphWriter): Operation {
  const isMap = graph.inputShape(layer).length > 1;
  const input = isMap ? graph.step('Flatten', [graph.value(layer)], { axis: 1 }) : graph.value(layer);
  return operation('Gemm', [input, graph.weight(layer.weight), ...optional(layer.bias, graph)], { transB: 1 });
}

/** The form for inference: running statistics. Scale and offset are not optional in ONNX. */
function batchNorm(layer: BatchNormLayer, graph: GraphWriter): Operation {
  const channels = graph.inputShape(layer)[0] as number;
  const filled = (name: string | null, what: string, value: number): string =>
    name === null ? graph.constant(what, new Float32Array(channels).fill(value), [channels]) : graph.weight(name);
  return operation(
    'BatchNormalization',
    [
      graph.value(layer),
      filled(layer.weight, 'scale', 1),
      filled(layer.bias, 'offset', 0),
      graph.weight(layer.runningMean),
      graph.weight(layer.runningVariance),
    ],
    { epsilon: { float: layer.epsilon }, momentum: { float: 1 - layer.momentum } },
  );
}

function activation(layer: ActivationLayer, graph: GraphWriter): Operation {
  const x = graph.value(layer);
  switch (layer.activation) {
    case 'relu':
      return operation('Relu', [x]);
    case 'relu6':
      return operation('Clip', [x, graph.constant('min', 0), graph.constant('max', 6)]);
    default:
      throw noOperator(layer, JSON.stringify(layer.activation));
  }
}

const noOperator = ({ name, kind }: Layer, attribute: string | null) =>
  unsupported('ONNX', [{ layer: name, kind, attribute }]);

/** How each kind of layer is said in ONNX. */
export const WRITERS: Writers = {
  conv2d,
  dense,
  batchNorm,
  activation,
  maxPool: pool,
  averagePool: pool,
  globalAveragePool(layer, graph) {
    if (!layer.flatten) return operation('GlobalAveragePool', [graph.value(layer)]);
    return operation('ReduceMean', [graph.value(layer)], { axes: [2, 3], keepdims: 0 });
  },
  add(layer, graph) {
    const inputs = graph.allValues(layer);
    return operation(inputs.length === 2 ? 'Add' : 'Sum', inputs);
  },
  concat: (layer, graph) => operation('Concat', graph.allValues(layer), { axis: layer.axis }),
  flatten: (layer, graph) => operation('Flatten', [graph.value(layer)], { axis: layer.axis }),
  dropout: (layer, graph) => operation('Dropout', [graph.value(layer), graph.constant('ratio', layer.rate)]),
  softmax: (layer, graph) => operation('Softmax', [graph.value(layer)], { axis: layer.axis }),
  zeroPad(layer, graph) {
    const { top, left, bottom, right } = layer.padding;
    return operation('Pad', [graph.value(layer), graph.integers('pads', [0, 0, top, left, 0, 0, bottom, right])]);
  },
};

/** Adds a layer to the graph. */
export function writeLayer(layer: Exclude<Layer, { readonly kind: 'input' }>, graph: GraphWriter): void {
  const write = WRITERS[layer.kind] as ((layer: Layer, graph: GraphWriter) => Operation | string) | undefined;
  if (!write) throw noOperator(layer, null);
  graph.add(layer, () => write(layer, graph));
}
