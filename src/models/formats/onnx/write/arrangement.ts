import type {
  ChannelShuffleLayer,
  ExpandLayer,
  ReshapeLayer,
  SliceLayer,
  TransposeLayer,
} from '../../../layers/arrangement.js';
import { type GraphWriter, type Operation, operation } from './graphWriter.js';

export const reshape = (layer: ReshapeLayer, graph: GraphWriter): Operation =>
  operation('Reshape', [graph.value(layer), graph.integers('shape', layer.shape)]);

export const transpose = (layer: TransposeLayer, graph: GraphWriter): Operation =>
  operation('Transpose', [graph.value(layer)], { perm: layer.permutation });

export function slice(layer: SliceLayer, graph: GraphWriter): Operation {
  const parts = (['starts', 'ends', 'axes', 'steps'] as const).map((what) => graph.integers(what, layer[what]));
  return operation('Slice', [graph.value(layer), ...parts]);
}

/** 1 leaves a size in ONNX. */
export const expand = (layer: ExpandLayer, graph: GraphWriter): Operation =>
  operation('Expand', [
    graph.value(layer),
    graph.integers(
      'shape',
      layer.shape.map((size) => Math.max(1, size)),
    ),
  ]);

/** Channels as [groups, C / groups], transposed. */
export function channelShuffle(layer: ChannelShuffleLayer, graph: GraphWriter): Operation {
  const [, channels = 1, ...pixels] = graph.inputShape(layer);
  const groups = graph.integers('groups', [0, layer.groups, channels / layer.groups, -1]);
  const grouped = graph.step('Reshape', [graph.value(layer), groups]);
  const shuffled = graph.step('Transpose', [grouped], { perm: [0, 2, 1, 3] });
  return operation('Reshape', [shuffled, graph.integers('shape', [0, channels, ...pixels])]);
}
