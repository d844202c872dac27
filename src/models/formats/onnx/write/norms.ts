import type {
  ChannelNormLayer,
  GroupNormLayer,
  L2NormalizeLayer,
  LayerNormLayer,
  LocalResponseNormLayer,
} from '../../../layers/norms.js';
import type { BatchNormLayer } from '../../../network.js';
import { type GraphWriter, type Operation, operation } from './graphWriter.js';

/** A weight, or a constant of that length in its place. */
const filled = (graph: GraphWriter, name: string | null, what: string, size: number, value: number): string =>
  name === null ? graph.constant(what, new Float32Array(size).fill(value), [size]) : graph.weight(name);

/** The form for inference: running statistics. Scale and offset are not optional in ONNX. */
export function batchNorm(layer: BatchNormLayer, graph: GraphWriter): Operation {
  const channels = graph.inputShape(layer)[1] as number;
  const { weight, bias, runningMean, runningVariance, epsilon, momentum } = layer;
  const inputs = [
    graph.value(layer),
    filled(graph, weight, 'scale', channels, 1),
    filled(graph, bias, 'offset', channels, 0),
    graph.weight(runningMean),
    graph.weight(runningVariance),
  ];
  return operation('BatchNormalization', inputs, {
    epsilon: { float: epsilon },
    momentum: { float: 1 - momentum },
  });
}

function normalization(
  { weight, bias, epsilon }: { weight: string | null; bias: string | null; epsilon: number },
  x: string,
  shape: readonly number[],
  graph: GraphWriter,
): Operation {
  const size = shape.reduce((product, length) => product * length, 1);
  const scale = weight === null ? graph.constant('scale', new Float32Array(size).fill(1), shape) : graph.weight(weight);
  const inputs = [x, scale, ...(bias === null ? [] : [graph.weight(bias)])];
  return operation('LayerNormalization', inputs, { axis: -shape.length, epsilon: { float: epsilon } });
}

export const layerNorm = (layer: LayerNormLayer, graph: GraphWriter): Operation =>
  normalization(layer, graph.value(layer), graph.inputShape(layer).slice(-layer.axes), graph);

/** With the channels brought to the end and back. */
export function channelNorm(layer: ChannelNormLayer, graph: GraphWriter): Operation {
  const shape = graph.inputShape(layer);
  const channels = [shape[1] as number];
  if (shape.length === 2) return normalization(layer, graph.value(layer), channels, graph);
  const axes = shape.map((_, axis) => axis);
  const there = graph.step('Transpose', [graph.value(layer)], { perm: [0, ...axes.slice(2), 1] });
  const { operator, inputs, attributes } = normalization(layer, there, channels, graph);
  const back = [0, shape.length - 1, ...axes.slice(1, -1)];
  return operation('Transpose', [graph.step(operator, inputs, attributes)], { perm: back });
}

/** Instance normalisation of the groups, seen as channels; GroupNormalization came with operator set 18. */
export function groupNorm(layer: GroupNormLayer, graph: GraphWriter): Operation {
  const { groups, weight, bias, epsilon } = layer;
  const [, channels = 1, ...pixels] = graph.inputShape(layer);
  const attributes = { epsilon: { float: epsilon } };
  if (groups === channels && pixels.length > 0) {
    const affine = [filled(graph, weight, 'scale', channels, 1), filled(graph, bias, 'offset', channels, 0)];
    return operation('InstanceNormalization', [graph.value(layer), ...affine], attributes);
  }
  const grouped = graph.step('Reshape', [graph.value(layer), graph.integers('groups', [0, groups, -1])]);
  const plain = [filled(graph, null, 'ones', groups, 1), filled(graph, null, 'zeros', groups, 0)];
  let last = operation('Reshape', [
    graph.step('InstanceNormalization', [grouped, ...plain], attributes),
    graph.integers('shape', [0, channels, ...pixels]),
  ]);
  const perChannel = [channels, ...pixels.map(() => 1)];
  const then = (operator: string, name: string) => {
    const value = graph.step(last.operator, last.inputs, last.attributes);
    last = operation(operator, [value, graph.weight(name, perChannel)]);
  };
  if (weight !== null) then('Mul', weight);
  if (bias !== null) then('Add', bias);
  return last;
}

/** LRN where its window is ONNX's; else the mean of squares as an average pooling over the channels, which then lie as rows. */
export function localResponseNorm(layer: LocalResponseNormLayer, graph: GraphWriter): Operation {
  const { size, before, alpha, beta, k } = layer;
  const shape = graph.inputShape(layer);
  const x = graph.value(layer);
  if (shape.length === 4 && size % 2 === 1 && before === (size - 1) / 2) {
    const attributes = { size, alpha: { float: alpha }, beta: { float: beta }, bias: { float: k } };
    return operation('LRN', [x], attributes);
  }
  const squares = graph.step('Mul', [x, x]);
  const rows = graph.step('Reshape', [squares, graph.integers('rows', [0, 1, shape[1] as number, -1])]);
  const means = graph.step('AveragePool', [rows], {
    kernel_shape: [size, 1],
    strides: [1, 1],
    pads: [before, 0, size - 1 - before, 0],
    count_include_pad: 1,
  });
  const back = graph.step('Reshape', [means, graph.integers('shape', [0, ...shape.slice(1)])]);
  const scaled = graph.step('Mul', [back, graph.constant('alpha', alpha)]);
  const sum = graph.step('Add', [scaled, graph.constant('k', k)]);
  return operation('Div', [x, graph.step('Pow', [sum, graph.constant('beta', beta)])]);
}

export function l2Normalize(layer: L2NormalizeLayer, graph: GraphWriter): Operation {
  const x = graph.value(layer);
  const norm = graph.step('ReduceL2', [x], { axes: [layer.axis], keepdims: 1 });
  if (layer.epsilon === 0) return operation('Div', [x, norm]);
  return operation('Div', [x, graph.step('Max', [norm, graph.constant('epsilon', layer.epsilon)])]);
}
