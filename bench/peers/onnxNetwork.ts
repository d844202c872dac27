import type { Layer, Network, Padding, Weights } from '../../src/models/network.js';
import { FLOAT, type NodeSpec, onnxFile, rawTensor, tensor, valueInfo } from '../../test/models/onnxWriter.js';

const INITIALIZERS = { zero: 'zero', six: 'six' } as const;

/** A network without batch norms as an ONNX file; its input has its layer's name, its output, [N, classes], is y. */
export function onnxNetwork(network: Network, weights: Weights, batch: number): Uint8Array {
  const [input] = network.layers;
  if (input?.kind !== 'input') throw new Error('The first layer must be the input.');
  const last = network.layers.at(-1) as Layer;
  const nodes = network.layers.flatMap((layer) => nodesOf(layer));
  nodes.push({ op: 'Flatten', inputs: [last.name], outputs: ['y'] });
  const initializers = [...weights].map(([name, { shape, data }]) =>
    rawTensor(name, shape, FLOAT, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  );
  initializers.push(tensor(INITIALIZERS.zero, [], [0]), tensor(INITIALIZERS.six, [], [6]));
  return onnxFile({ nodes, initializers, inputs: [valueInfo(input.name, [batch, ...input.shape])] });
}

const pads = ({ top, left, bottom, right }: Padding): number[] => [top, left, bottom, right];

function nodesOf(layer: Layer): NodeSpec[] {
  const node = (op: string, more: Partial<NodeSpec> = {}): NodeSpec => ({
    op,
    inputs: layer.inputs,
    outputs: [layer.name],
    ...more,
  });
  const [x = ''] = layer.inputs;
  switch (layer.kind) {
    case 'input':
      return [];
    case 'conv2d': {
      const { kernel, stride, padding, dilation, groups } = layer;
      const attributes = {
        kernel_shape: kernel,
        strides: stride,
        pads: pads(padding),
        dilations: dilation,
        group: groups,
      };
      return [node('Conv', { inputs: [x, layer.weight, ...(layer.bias ? [layer.bias] : [])], attributes })];
    }
    case 'dense':
      return [
        node('Gemm', { inputs: [x, layer.weight, ...(layer.bias ? [layer.bias] : [])], attributes: { transB: 1 } }),
      ];
    case 'activation':
      if (layer.activation === 'relu') return [node('Relu')];
      if (layer.activation === 'relu6') return [node('Clip', { inputs: [x, INITIALIZERS.zero, INITIALIZERS.six] })];
      break;
    case 'maxPool': {
      const attributes = {
        kernel_shape: layer.kernel,
        strides: layer.stride,
        pads: pads(layer.padding),
        ceil_mode: layer.ceilMode ? 1 : 0,
      };
      return [node('MaxPool', { attributes })];
    }
    case 'globalAveragePool': {
      if (!layer.flatten) return [node('GlobalAveragePool')];
      const pooled = `${layer.name}/pooled`;
      return [node('GlobalAveragePool', { outputs: [pooled] }), node('Flatten', { inputs: [pooled] })];
    }
    case 'add':
      return [node('Add')];
    case 'concat':
      return [node('Concat', { attributes: { axis: 1 } })];
    case 'flatten':
      return [node('Flatten')];
    case 'dropout':
      return [node('Identity')];
    default:
      break;
  }
  throw new Error(`The ONNX writer of the benchmark has no ${layer.kind}.`);
}
