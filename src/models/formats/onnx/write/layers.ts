import type { Dense2dLayer } from '../../../layers/dense.js';
import type { Conv3dLayer, ConvTranspose3dLayer } from '../../../layers/volume.js';
import type { ReduceLayer } from '../../../layers/reduction.js';
import type { ConvTranspose2dLayer } from '../../../layers/convolution.js';
import type { Conv2dLayer, DenseLayer, Layer } from '../../../network.js';
import { activation, prelu } from './activations.js';
import { channelShuffle, expand, reshape, slice, transpose } from './arrangement.js';
import { binary, unary } from './elementwise.js';
import { type GraphWriter, inexpressible, type Operation, operation } from './graphWriter.js';
import { batchNorm, channelNorm, groupNorm, l2Normalize, layerNorm, localResponseNorm } from './norms.js';
import { adaptiveAveragePool, globalAveragePool, pool } from './pooling.js';
import { argExtreme, indexed, maxPoolIndices, topK } from './selection.js';
import { pad, resize, zeroPad } from './spatial.js';

type LayerOf<K extends Layer['kind']> = Extract<Layer, { readonly kind: K }>;
type Writers = {
  readonly [K in Exclude<Layer['kind'], 'input'>]: (layer: LayerOf<K>, graph: GraphWriter) => Operation | string;
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
  const isMap = graph.inputShape(layer).length > 2;
  const input = isMap ? graph.step('Flatten', [graph.value(layer)], { axis: 1 }) : graph.value(layer);
  return operation('Gemm', [input, graph.weight(layer.weight), ...optional(layer.bias, graph)], { transB: 1 });
}

function dense2d(layer: Dense2dLayer, graph: GraphWriter): Operation {
  const [outputs = 1, inputs = 1] = graph.tensor(layer.weight).shape;
  const weight = graph.weight(layer.weight, [outputs, inputs, 1, 1]);
  return operation('Conv', [graph.value(layer), weight, ...optional(layer.bias, graph)], { kernel_shape: [1, 1] });
}

const REDUCTIONS = {
  sum: 'ReduceSum',
  mean: 'ReduceMean',
  max: 'ReduceMax',
  min: 'ReduceMin',
  product: 'ReduceProd',
  l2: 'ReduceL2',
} as const;

/** The axes of a sum are an input since operator set 13, those of the others are one since 18. */
function reduce(layer: ReduceLayer, graph: GraphWriter): Operation {
  const x = graph.value(layer);
  const keepdims = layer.keepDims ? 1 : 0;
  if (layer.operator !== 'sum') return operation(REDUCTIONS[layer.operator], [x], { axes: layer.axes, keepdims });
  return operation('ReduceSum', [x, graph.integers('axes', layer.axes)], { keepdims });
}

/** TensorProto.DataType of truth values. */
const BOOL = 9;

function convTranspose2d(layer: ConvTranspose2dLayer, graph: GraphWriter): Operation {
  const { kernel, stride, padding, dilation, groups, outputPadding } = layer;
  const inputs = [graph.value(layer), graph.weight(layer.weight), ...optional(layer.bias, graph)];
  return operation('ConvTranspose', inputs, {
    kernel_shape: kernel,
    strides: stride,
    pads: [padding.top, padding.left, padding.bottom, padding.right],
    output_padding: outputPadding,
    dilations: dilation,
    group: groups,
  });
}

function volume(layer: Conv3dLayer | ConvTranspose3dLayer, graph: GraphWriter): Operation {
  const { kernel, stride, before, after, dilation, groups } = layer;
  const inputs = [graph.value(layer), graph.weight(layer.weight), ...optional(layer.bias, graph)];
  const attributes = {
    kernel_shape: kernel,
    strides: stride,
    pads: [...before, ...after],
    dilations: dilation,
    group: groups,
  };
  if (layer.kind === 'conv3d') return operation('Conv', inputs, attributes);
  return operation('ConvTranspose', inputs, { ...attributes, output_padding: layer.outputPadding });
}

/** How each kind of layer is said in ONNX. */
const WRITERS: Writers = {
  parameter: (layer, graph) => graph.weight(layer.weight),
  conv2d,
  dense,
  dense2d,
  batchNorm,
  layerNorm,
  channelNorm,
  groupNorm,
  localResponseNorm,
  l2Normalize,
  activation,
  prelu,
  maxPool: pool,
  averagePool: pool,
  globalAveragePool,
  adaptiveAveragePool,
  add(layer, graph) {
    const inputs = graph.allValues(layer);
    return operation(inputs.length === 2 ? 'Add' : 'Sum', inputs);
  },
  binary,
  unary,
  dropout: (layer, graph) => operation('Dropout', [graph.value(layer), graph.constant('ratio', layer.rate)]),
  // Nothing in evaluation, which is what a file is for.
  stochasticDepth: (layer, graph) => graph.value(layer),
  concat: (layer, graph) => operation('Concat', graph.allValues(layer), { axis: layer.axis }),
  flatten: (layer, graph) => operation('Flatten', [graph.value(layer)], { axis: layer.axis }),
  reshape,
  transpose,
  slice,
  expand,
  channelShuffle,
  zeroPad,
  pad,
  resize,
  reduce,
  softmax: (layer, graph) => operation('Softmax', [graph.value(layer)], { axis: layer.axis }),
  logSoftmax: (layer, graph) => operation('LogSoftmax', [graph.value(layer)], { axis: layer.axis }),
  matmul: (layer, graph) => operation('MatMul', graph.allValues(layer)),
  convTranspose2d,
  where(layer, graph) {
    const [condition, x, y] = graph.allValues(layer) as [string, string, string];
    return operation('Where', [graph.step('Cast', [condition], { to: BOOL }), x, y]);
  },
  gather: (layer, graph) => operation('Gather', indexed(layer, graph), { axis: layer.axis }),
  gatherElements: (layer, graph) => operation('GatherElements', indexed(layer, graph), { axis: layer.axis }),
  cumulativeSum(layer, graph) {
    const axis = graph.integers('axis', [layer.axis]);
    const attributes = { exclusive: layer.exclusive ? 1 : 0, reverse: layer.reverse ? 1 : 0 };
    return operation('CumSum', [graph.value(layer), axis], attributes);
  },
  conv3d: volume,
  convTranspose3d: volume,
  maxPoolIndices,
  argExtreme,
  topK,
  // Few runtimes have casts to the types of eight bits and less, and they differ in what is out of range.
  roundTo(layer) {
    throw inexpressible(layer, layer.type);
  },
};

/** Adds a layer to the graph. Throws UNSUPPORTED for what ONNX's operators do not say. */
export function writeLayer(layer: Exclude<Layer, { readonly kind: 'input' }>, graph: GraphWriter): void {
  const write = WRITERS[layer.kind] as (layer: Layer, graph: GraphWriter) => Operation | string;
  graph.add(layer, () => write(layer, graph));
}
