import type * as Tf from '@tensorflow/tfjs-core';
import type { Conv2dLayer, Layer, Network, PoolLayer, Weights } from '../../src/models/network.js';
import { weightOf } from '../../src/training/fold.js';
import { kernelOrder, trainingBatchNorm } from './tfjsOperations.js';

/** Networks out of tfjs's operations, channels last, fused where tfjs can. */

export function isDepthwise(network: Network, weights: Weights, name: string): boolean {
  const layer = network.layers.find((candidate) => candidate.kind === 'conv2d' && candidate.weight === name);
  return layer?.kind === 'conv2d' && layer.groups > 1 && weightOf(weights, name).shape[1] === 1;
}

/** A weight in tfjs's layout: convolutions' as its kernels want them, dense layers' [in, out]. */
export function toTfjs(tf: typeof Tf, network: Network, weights: Weights, name: string): Tf.Tensor {
  const { shape, data } = weightOf(weights, name);
  const tensor = tf.tensor(data, [...shape]);
  if (shape.length === 4) return tf.transpose(tensor, kernelOrder(isDepthwise(network, weights, name)));
  return shape.length === 2 ? tf.transpose(tensor) : tensor;
}

type Values = Map<string, Tf.Tensor>;

/** Output of the last of `layers`, [N, classes]. `trains`: batch norms use the batch's statistics. */
export function forward(
  tf: typeof Tf,
  layers: readonly Layer[],
  weights: ReadonlyMap<string, Tf.Tensor>,
  given: ReadonlyMap<string, Tf.Tensor>,
  trains: boolean,
): Tf.Tensor2D {
  const values: Values = new Map(given);
  let last: Tf.Tensor | undefined;
  for (const layer of layers) {
    if (!values.has(layer.name)) evaluate(tf, layer, layers, weights, values, trains);
    last = values.get(layer.name);
  }
  if (!last) throw new Error('There are no layers.');
  return (last.rank === 4 ? tf.reshape(last, [last.shape[0] as number, -1]) : last) as Tf.Tensor2D;
}

/** The activation that follows a layer alone, and that tfjs can fuse into it. */
function fusible(layer: Layer, layers: readonly Layer[]): { activation: 'relu' | 'relu6'; name: string } | null {
  const [next, ...others] = layers.filter(({ inputs }) => inputs.includes(layer.name));
  if (next?.kind !== 'activation' || others.length > 0) return null;
  const { activation, name } = next;
  return activation === 'relu' || activation === 'relu6' ? { activation, name } : null;
}

function evaluate(
  tf: typeof Tf,
  layer: Layer,
  layers: readonly Layer[],
  weights: ReadonlyMap<string, Tf.Tensor>,
  values: Values,
  trains: boolean,
): void {
  const inputs = layer.inputs.map((name) => values.get(name) as Tf.Tensor);
  const x = inputs[0] as Tf.Tensor4D;
  const weight = (name: string | null): Tf.Tensor | undefined => (name === null ? undefined : weights.get(name));
  const set = (value: Tf.Tensor) => values.set(layer.name, value);
  switch (layer.kind) {
    case 'conv2d': {
      const fused = fusible(layer, layers);
      const convolve = layer.groups > 1 ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
      const y = convolve({
        x,
        filter: weight(layer.weight) as Tf.Tensor4D,
        strides: layer.stride as [number, number],
        pad: padding(layer),
        dilations: layer.dilation as [number, number],
        bias: weight(layer.bias),
        activation: fused?.activation ?? 'linear',
      });
      set(y);
      if (fused) values.set(fused.name, y);
      return;
    }
    case 'dense':
      set(
        tf.fused.matMul({
          a: (x.rank === 4 ? tf.reshape(x, [x.shape[0], -1]) : x) as Tf.Tensor,
          b: weight(layer.weight) as Tf.Tensor,
          transposeA: false,
          transposeB: false,
          bias: weight(layer.bias),
        }),
      );
      return;
    case 'batchNorm':
      if (!trains) throw new Error(`${layer.name} should have been folded.`);
      set(trainingBatchNorm(tf, x, weight(layer.weight) as Tf.Tensor, weight(layer.bias) as Tf.Tensor, layer.epsilon));
      return;
    case 'activation':
      set(layer.activation === 'relu' ? tf.relu(x) : tf.relu6(x));
      return;
    case 'maxPool': {
      const rounding = layer.ceilMode ? 'ceil' : 'floor';
      const [kernel, stride] = [layer.kernel as [number, number], layer.stride as [number, number]];
      set(tf.maxPool(x, kernel, stride, padding(layer), rounding));
      return;
    }
    case 'globalAveragePool':
      set(tf.mean(x, [1, 2], !layer.flatten));
      return;
    case 'add':
      set(tf.add(inputs[0] as Tf.Tensor, inputs[1] as Tf.Tensor));
      return;
    case 'concat':
      set(tf.concat(inputs as Tf.Tensor4D[], 3));
      return;
    case 'flatten':
      set(tf.reshape(x.rank === 4 ? tf.transpose(x, [0, 3, 1, 2]) : x, [x.shape[0], -1]));
      return;
    case 'dropout':
      set(x);
      return;
    default:
      throw new Error(`The tfjs peer has no layer ${layer.kind}.`);
  }
}

function padding({ padding: { top, left, bottom, right }, name }: Conv2dLayer | PoolLayer): number {
  if (top !== left || top !== bottom || top !== right) throw new Error(`${name}: the padding differs by side.`);
  return top;
}
