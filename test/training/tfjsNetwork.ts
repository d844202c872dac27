import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { ActivationLayer, Layer, Network, Weights } from '../../src/models/network.js';
import { gradientsRegistered } from './tfjsGradients.js';

/** A network evaluated by tfjs's CPU backend (NHWC): an oracle for values and gradients that is not ours. */
export interface TfjsResult {
  readonly loss: number;
  readonly logits: Float32Array;
  /** By our weight names, in our layouts ([O, I, kh, kw], [out, in]). */
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** Our layout -> tfjs's: [O, I, kh, kw] -> [kh, kw, I, O] (depthwise: [kh, kw, C, 1]), [out, in] -> [in, out]. */
function toTfjs(shape: readonly number[], data: Float32Array, depthwise: boolean): tf.Tensor {
  const tensor = tf.tensor(data, shape as number[]);
  if (shape.length === 4) return tf.transpose(tensor, depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
  return shape.length === 2 ? tf.transpose(tensor) : tensor;
}

function toOurs(gradient: tf.Tensor, depthwise: boolean): Float32Array {
  let tensor = gradient;
  if (gradient.rank === 4) tensor = tf.transpose(gradient, depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1]);
  else if (gradient.rank === 2) tensor = tf.transpose(gradient);
  return tensor.dataSync() as Float32Array;
}

function isDepthwise(layer: Layer, weights: Weights): boolean {
  return layer.kind === 'conv2d' && layer.groups > 1 && weights.get(layer.weight)?.shape[1] === 1;
}

/**
 * Mean cross-entropy of `labels`, auxiliary outputs added with their weights, and its gradients. `x` is N, C, H, W. Batch norms use the batch's statistics.
 *
 * `activations` are the other engine's outputs of activation layers, N, C, H, W. Of a million units one or two lie within
 * rounding of a corner of ReLU, where the two engines may take different, equally valid subgradients; so the gradient passes
 * where the other engine lets it pass, after a check that the two disagree within `CORNER` of a corner only.
 */
export async function tfjsStep(
  network: Network,
  weights: Weights,
  x: Float32Array,
  shape: readonly [number, number, number, number],
  labels: readonly number[],
  activations: ReadonlyMap<string, Float32Array>,
): Promise<TfjsResult> {
  await gradientsRegistered;
  let result: TfjsResult | null = null;
  tf.tidy(() => {
    const depthwise = new Set(
      network.layers
        .filter((layer) => isDepthwise(layer, weights))
        .map((layer) => (layer.kind === 'conv2d' ? layer.weight : '')),
    );
    const trainable = network.layers.flatMap((layer) => {
      if (layer.kind === 'conv2d' || layer.kind === 'dense' || layer.kind === 'batchNorm') {
        return [layer.weight, layer.bias].filter((name) => name !== null);
      }
      return [];
    });
    const tensors = trainable.map((name) => {
      const weight = weights.get(name);
      if (!weight) throw new Error(`no weight ${name}`);
      return toTfjs(weight.shape, weight.data, depthwise.has(name));
    });
    const input = tf.transpose(tf.tensor4d(x, shape as [number, number, number, number]), [0, 2, 3, 1]);
    let logits: tf.Tensor | null = null;
    const loss = (...variables: tf.Tensor[]): tf.Scalar => {
      const byName = new Map(trainable.map((name, index) => [name, variables[index] as tf.Tensor]));
      // Kept: the gradient's own scope would free it.
      const values = forward(network, byName, input, activations);
      logits = tf.keep(asVectors(values.get(network.layers.at(-1)?.name ?? '') as tf.Tensor));
      const terms = network.auxiliary.map(({ layer, lossWeight }) =>
        tf.mul(lossWeight, crossEntropy(asVectors(values.get(layer) as tf.Tensor), labels)),
      );
      return tf.addN([crossEntropy(logits as tf.Tensor2D, labels), ...terms]) as tf.Scalar;
    };
    const { value, grads } = tf.valueAndGrads(loss)(tensors);
    const gradients = new Map(
      trainable.map((name, index) => [name, toOurs(grads[index] as tf.Tensor, depthwise.has(name))]),
    );
    result = {
      loss: value.dataSync()[0] as number,
      logits: (logits as unknown as tf.Tensor).dataSync() as Float32Array,
      gradients,
    };
  });
  return result as unknown as TfjsResult;
}

function crossEntropy(logits: tf.Tensor2D, labels: readonly number[]): tf.Tensor {
  const target = tf.oneHot(tf.tensor1d(labels as number[], 'int32'), logits.shape[1]);
  return tf.neg(tf.mean(tf.sum(tf.mul(target, tf.logSoftmax(logits)), 1)));
}

const asVectors = (x: tf.Tensor): tf.Tensor2D =>
  (x.rank === 4 ? tf.reshape(x, [x.shape[0] as number, -1]) : x) as tf.Tensor2D;

const CORNER = 1e-4;

/** z clipped to 0..upper, with the gradient where `passes`; see `tfjsStep`. */
function clipped(name: string, z: tf.Tensor4D, upper: number, passes: tf.Tensor): tf.Tensor {
  const between = tf.logicalAnd(tf.greater(z, 0), tf.less(z, upper));
  const nearCorner = tf.logicalOr(tf.less(tf.abs(z), CORNER), tf.less(tf.abs(tf.sub(z, upper)), CORNER));
  const disagrees = tf.logicalAnd(tf.notEqual(passes, between), tf.logicalNot(nearCorner));
  if (tf.any(disagrees).dataSync()[0]) throw new Error(`${name}: the engines disagree away from the corners`);
  const clip = tf.customGrad((given, save) => {
    (save as tf.GradSaveFunc)([passes]);
    return {
      value: tf.clipByValue(given as tf.Tensor, 0, upper),
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(dy, tf.cast(saved as tf.Tensor, 'float32')),
    };
  });
  return clip(z);
}

function activate({ name, activation }: ActivationLayer, x: tf.Tensor, other: Float32Array): tf.Tensor {
  const sizes = x.rank === 4 ? x.shape : [x.shape[0], 1, 1, x.shape[1]];
  const [batch, height, width, channels] = sizes as [number, number, number, number];
  const map = tf.reshape(x, [batch, height, width, channels]) as tf.Tensor4D;
  const values = tf.transpose(tf.tensor4d(other, [batch, channels, height, width]), [0, 2, 3, 1]);
  const positiveBelow = (upper: number) => tf.logicalAnd(tf.greater(values, 0), tf.less(values, upper));
  const linear = (slope: number, offset: number) => tf.add(tf.mul(map, slope), offset) as tf.Tensor4D;
  const result = (): tf.Tensor => {
    if (activation === 'hardSwish') {
      const passes = tf.logicalAnd(tf.notEqual(values, 0), tf.less(values, 3));
      return tf.mul(map, clipped(name, linear(1 / 6, 0.5), 1, passes));
    }
    if (typeof activation === 'object' && activation.kind === 'hardSigmoid') {
      return clipped(name, linear(activation.alpha, activation.beta), 1, positiveBelow(1));
    }
    const upper = { relu: Number.MAX_VALUE, relu6: 6 }[activation as string];
    if (upper === undefined) throw new Error(`the tfjs oracle has no ${JSON.stringify(activation)}`);
    return clipped(name, map, upper, positiveBelow(upper));
  };
  return tf.reshape(result(), x.shape);
}

function forward(
  network: Network,
  weights: ReadonlyMap<string, tf.Tensor>,
  input: tf.Tensor4D,
  activations: ReadonlyMap<string, Float32Array>,
): Map<string, tf.Tensor> {
  const values = new Map<string, tf.Tensor>();
  let last: tf.Tensor = input;
  for (const layer of network.layers) {
    const inputs = layer.inputs.map((name) => values.get(name) as tf.Tensor);
    if (layer.kind === 'input') last = input;
    else if (layer.kind === 'activation' && layer.activation === 'tanh') last = tf.tanh(inputs[0] as tf.Tensor);
    else if (layer.kind === 'activation') {
      last = activate(layer, inputs[0] as tf.Tensor, activations.get(layer.name) as Float32Array);
    } else last = apply(layer, inputs, weights);
    values.set(layer.name, last);
  }
  return values;
}

function apply(layer: Layer, inputs: readonly tf.Tensor[], weights: ReadonlyMap<string, tf.Tensor>): tf.Tensor {
  const x = inputs[0] as tf.Tensor4D;
  const weight = (name: string | null) => (name === null ? null : (weights.get(name) as tf.Tensor));
  switch (layer.kind) {
    case 'conv2d': {
      const { top, left, bottom, right } = layer.padding;
      const padded = tf.pad(x, [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0],
      ]);
      const kernel = weight(layer.weight) as tf.Tensor4D;
      const stride = layer.stride as [number, number];
      const convolved =
        layer.groups > 1
          ? tf.depthwiseConv2d(padded, kernel, stride, 'valid')
          : tf.conv2d(padded, kernel, stride, 'valid', 'NHWC', layer.dilation as [number, number]);
      const bias = weight(layer.bias);
      return bias ? tf.add(convolved, bias) : convolved;
    }
    case 'dense': {
      const product = tf.matMul(x as unknown as tf.Tensor2D, weight(layer.weight) as tf.Tensor2D);
      const bias = weight(layer.bias);
      return bias ? tf.add(product, bias) : product;
    }
    case 'batchNorm': {
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      const normalised = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, layer.epsilon)));
      const scaled = tf.mul(normalised, weight(layer.weight) as tf.Tensor);
      return tf.add(scaled, weight(layer.bias) as tf.Tensor);
    }
    case 'maxPool': {
      const { top, left, bottom, right } = layer.padding;
      const padded = tf.pad(
        x,
        [
          [0, 0],
          [top, bottom],
          [left, right],
          [0, 0],
        ],
        -1e30,
      );
      const stride = layer.stride as [number, number];
      let ceil: tf.Tensor4D = padded as tf.Tensor4D;
      if (layer.ceilMode) {
        const extra = [0, 1].map((axis) => {
          const size = padded.shape[axis + 1] as number;
          const over = (size - (layer.kernel[axis] as number)) % (stride[axis] as number);
          return over === 0 ? 0 : (stride[axis] as number) - over;
        });
        ceil = tf.pad(
          padded,
          [
            [0, 0],
            [0, extra[0] as number],
            [0, extra[1] as number],
            [0, 0],
          ],
          -1e30,
        ) as tf.Tensor4D;
      }
      return tf.maxPool(ceil, layer.kernel as [number, number], stride, 'valid');
    }
    case 'averagePool': {
      const { top, left, bottom, right } = layer.padding;
      if (layer.ceilMode || top + left + bottom + right > 0) throw new Error('the tfjs oracle pools whole windows');
      return tf.avgPool(x, layer.kernel as [number, number], layer.stride as [number, number], 'valid');
    }
    case 'globalAveragePool': {
      const pooled = tf.mean(x, [1, 2], !layer.flatten);
      return pooled;
    }
    case 'add':
      return tf.add(inputs[0] as tf.Tensor, inputs[1] as tf.Tensor);
    case 'concat':
      return tf.concat(inputs as tf.Tensor4D[], 3);
    case 'binary':
      if (layer.operator !== 'mul') throw new Error(`the tfjs oracle has no ${layer.operator}`);
      return tf.mul(inputs[0] as tf.Tensor, inputs[1] as tf.Tensor);
    case 'slice': {
      const [[axis], [start], [end]] = [layer.axes, layer.starts, layer.ends];
      if (axis !== 1 || start === undefined || end === undefined) throw new Error('the tfjs oracle slices channels');
      const begin = [0, 0, 0, start];
      return tf.slice(x, begin, [-1, -1, -1, end - start]);
    }
    case 'channelShuffle': {
      const [n, h, w, c] = x.shape;
      const grouped = tf.reshape(x, [n, h, w, layer.groups, c / layer.groups]);
      return tf.reshape(tf.transpose(grouped, [0, 1, 2, 4, 3]), x.shape);
    }
    case 'flatten':
      return tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [x.shape[0], -1]);
    case 'dropout':
      return x;
    default:
      throw new Error(`the tfjs oracle has no ${layer.kind}`);
  }
}
