import type * as Tf from '@tensorflow/tfjs-core';
import type { Results } from '../reference/samples.js';
import { BATCH_NORM_EPSILON } from '../reference/batchNorm.js';
import { convolutionSizes } from '../reference/convolution.js';
import type { BatchNormSpec, ConvolutionSpec, MatmulSpec, SoftmaxSpec } from '../specs.js';
import { batchNormOperands } from '../workloads/batchNorm.js';
import { convolutionOperands } from '../workloads/convolution.js';
import { matmulOperands } from '../workloads/matmul.js';
import { softmaxLogits } from '../workloads/softmax.js';
import type { PreparedPeer } from './peer.js';
import type { Tfjs } from './tfjs.js';

type OperationSpec = MatmulSpec | ConvolutionSpec | SoftmaxSpec | BatchNormSpec;

/** Tensors by name that a single operation computes, in tfjs's own layout, and how they come into ours. */
interface Operation {
  compute(): Record<string, Tf.Tensor>;
  /** Permutation of the axes into our order; absent: the same. */
  readonly order?: Readonly<Record<string, readonly number[]>>;
}

/** Channels last, as tfjs wants feature maps: a copy in that order, made before the clock starts. */
export function channelsLast(tf: typeof Tf, values: Float32Array, shape: readonly number[]): Tf.Tensor4D {
  return tf.transpose(tf.tensor4d(values, shape as [number, number, number, number]), [0, 2, 3, 1]);
}
export const CHANNELS_FIRST = [0, 3, 1, 2];

/** A weight [O, C / groups, kh, kw] as tfjs has it: [kh, kw, C, O], depthwise [kh, kw, C, 1]. */
export const kernelOrder = (isDepthwise: boolean): number[] => (isDepthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
/** And back. */
export const weightOrder = (isDepthwise: boolean): number[] => (isDepthwise ? [2, 3, 0, 1] : [3, 2, 0, 1]);

export async function prepareOperation(
  tfjs: Tfjs,
  spec: OperationSpec,
  name: string,
  seed: number,
): Promise<PreparedPeer> {
  const { tf, idle } = tfjs;
  const operation = operationOf(tf, spec, name, seed);
  return {
    run() {
      const results = operation.compute();
      tf.dispose(results);
    },
    idle,
    async results() {
      const results: Record<string, Float32Array> = {};
      for (const [key, tensor] of Object.entries(operation.compute())) {
        const order = operation.order?.[key];
        results[key] = await tfjs.read(order ? tf.transpose(tensor, [...order]) : tensor);
      }
      return results satisfies Results;
    },
  };
}

function operationOf(tf: typeof Tf, spec: OperationSpec, name: string, seed: number): Operation {
  switch (spec.kind) {
    case 'matmul': {
      const operands = matmulOperands(spec, name, seed);
      const [a, b] = [operands.a, operands.b].map((values) => tf.tensor2d(values, [spec.size, spec.size]));
      return { compute: () => ({ y: tf.matMul(a as Tf.Tensor2D, b as Tf.Tensor2D) }) };
    }
    case 'softmax': {
      const x = tf.tensor2d(softmaxLogits(spec, name, seed), [spec.rows, spec.classes]);
      return { compute: () => ({ y: tf.softmax(x) }) };
    }
    case 'convolution':
      return convolution(tf, spec, name, seed);
    case 'batchNorm':
      return batchNorm(tf, spec, name, seed);
  }
}

function convolution(tf: typeof Tf, spec: ConvolutionSpec, name: string, seed: number): Operation {
  const { batch, channels, side, out, kernel, stride, padding, groups, pass } = spec;
  const isDepthwise = groups > 1;
  const { outSide } = convolutionSizes(spec);
  const operands = convolutionOperands(spec, name, seed);
  const x = operands.x ? channelsLast(tf, operands.x, [batch, channels, side, side]) : null;
  const dy = operands.dy ? channelsLast(tf, operands.dy, [batch, out, outSide, outSide]) : null;
  const w = operands.w
    ? tf.transpose(tf.tensor4d(operands.w, [out, channels / groups, kernel, kernel]), kernelOrder(isDepthwise))
    : null;
  const kernelName = (of: 'Input' | 'Filter') =>
    isDepthwise ? `DepthwiseConv2dNativeBackprop${of}` : `Conv2DBackprop${of}`;
  // What the gradients of tf.conv2d and tf.depthwiseConv2d call.
  const attributes = { strides: [stride, stride], pad: padding, dataFormat: 'NHWC', dilations: [1, 1] };
  const inputShape = [batch, side, side, channels];
  const filterShape = isDepthwise ? [kernel, kernel, channels, 1] : [kernel, kernel, channels, out];
  const run = (of: 'Input' | 'Filter', inputs: Record<string, Tf.Tensor>, more: Record<string, unknown>) =>
    tf.engine().runKernel(kernelName(of), inputs, { ...attributes, ...more } as Tf.NamedAttrMap) as Tf.Tensor;
  switch (pass) {
    case 'forward': {
      const convolve = isDepthwise ? tf.depthwiseConv2d : tf.conv2d;
      const compute = () => ({ y: convolve(x as Tf.Tensor4D, w as Tf.Tensor4D, stride, padding) });
      return { compute, order: { y: CHANNELS_FIRST } };
    }
    case 'input-gradient':
      return {
        compute: () => ({ y: run('Input', { dy: dy as Tf.Tensor, filter: w as Tf.Tensor }, { inputShape }) }),
        order: { y: CHANNELS_FIRST },
      };
    case 'weight-gradient':
      return {
        compute: () => ({ y: run('Filter', { x: x as Tf.Tensor, dy: dy as Tf.Tensor }, { filterShape }) }),
        order: { y: weightOrder(isDepthwise) },
      };
  }
}

/** As tf.layers has it in training: the moments, then the fused normalisation. */
export function trainingBatchNorm(tf: typeof Tf, x: Tf.Tensor, scale: Tf.Tensor, offset: Tf.Tensor, epsilon: number) {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return tf.batchNorm(
    x as Tf.Tensor4D,
    mean as Tf.Tensor1D,
    variance as Tf.Tensor1D,
    offset as Tf.Tensor1D,
    scale as Tf.Tensor1D,
    epsilon,
  );
}

function batchNorm(tf: typeof Tf, spec: BatchNormSpec, name: string, seed: number): Operation {
  const { batch, channels, side } = spec;
  const operands = batchNormOperands(spec, name, seed);
  const shape = [batch, channels, side, side];
  const x = channelsLast(tf, operands.x, shape);
  const [weight, bias] = [tf.tensor1d(operands.weight), tf.tensor1d(operands.bias)];
  const forward = (...[input, scale, offset]: Tf.Tensor[]): Tf.Tensor =>
    trainingBatchNorm(tf, input as Tf.Tensor, scale as Tf.Tensor, offset as Tf.Tensor, BATCH_NORM_EPSILON);
  const order = { y: CHANNELS_FIRST, dx: CHANNELS_FIRST };
  if (!operands.dy) return { compute: () => ({ y: tf.tidy(() => forward(x, weight, bias)) }), order };
  const dy = channelsLast(tf, operands.dy, shape);
  const step = tf.valueAndGrads(forward as (...args: Tf.Tensor[]) => Tf.Scalar);
  return {
    compute() {
      const { value, grads } = step([x, weight, bias], dy as unknown as Tf.Scalar);
      const [dx, dWeight, dBias] = grads as [Tf.Tensor, Tf.Tensor, Tf.Tensor];
      return { y: value, dx, dWeight, dBias };
    },
    order,
  };
}
