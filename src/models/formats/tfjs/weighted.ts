import { NO_PADDING } from '../../graph.js';
import { type Context, type Value, value } from './context.js';
import { show } from './json.js';
import { denseToOutIn, depthwiseToOihw, kernelToOihw } from './transpose.js';

function bias(c: Context, size: number): string | null {
  return c.attributes.flag('use_bias', true) ? c.weight('bias', [size]) : null;
}

export function conv2d(c: Context, input: Value): Value {
  const { attributes } = c;
  const [channels] = c.map(input);
  const kernel = attributes.pair('kernel_size', [1, 1]);
  const stride = attributes.pair('strides', [1, 1]);
  const dilation = attributes.pair('dilation_rate', [1, 1]);
  const groups = attributes.number('groups', 1);
  const outChannels = attributes.integer('filters');
  const perGroup = channels / groups;
  const shape = [...kernel, perGroup, outChannels] as [number, number, number, number];
  const weight = c.weight('kernel', shape, [outChannels, perGroup, ...kernel], (data) => kernelToOihw(data, shape));
  const padding = c.padding(input, kernel, stride, dilation);
  const layer = { ...c.base(input), outChannels, kernel, stride, padding, dilation, groups, weight };
  return c.activated(c.builder.add({ ...layer, kind: 'conv2d', bias: bias(c, outChannels) }));
}

/** The depthwise convolution of DepthwiseConv2D and the first half of SeparableConv2D. */
export function depthwise(c: Context, input: Value, name: string, hasBias: boolean): string {
  const { attributes } = c;
  const [channels] = c.map(input);
  const kernel = attributes.pair('kernel_size', [1, 1]);
  const stride = attributes.pair('strides', [1, 1]);
  const dilation = attributes.pair('dilation_rate', [1, 1]);
  const multiplier = attributes.number('depth_multiplier', 1);
  const outChannels = channels * multiplier;
  const shape = [...kernel, channels, multiplier] as [number, number, number, number];
  const arrange = (data: Float32Array) => depthwiseToOihw(data, shape);
  const weight = c.weight('depthwise_kernel', shape, [outChannels, 1, ...kernel], arrange);
  const padding = c.padding(input, kernel, stride, dilation);
  const layer = { ...c.base(input, name), outChannels, kernel, stride, padding, dilation, groups: channels, weight };
  return c.builder.add({ ...layer, kind: 'conv2d', bias: hasBias ? bias(c, outChannels) : null });
}

export function separableConv2d(c: Context, input: Value): Value {
  const spatial = depthwise(c, input, `${c.id}_depthwise`, false);
  const [channels] = c.map(value(spatial));
  const outChannels = c.attributes.integer('filters');
  const shape = [1, 1, channels, outChannels] as const;
  const arrange = (data: Float32Array) => kernelToOihw(data, shape);
  const weight = c.weight('pointwise_kernel', shape, [outChannels, channels, 1, 1], arrange);
  return c.activated(
    c.builder.add({ ...pointwise(c, value(spatial), outChannels), weight, bias: bias(c, outChannels) }),
  );
}

const pointwise = (c: Context, input: Value, outChannels: number) =>
  ({
    ...c.base(input),
    kind: 'conv2d',
    outChannels,
    kernel: [1, 1],
    stride: [1, 1],
    padding: NO_PADDING,
    dilation: [1, 1],
    groups: 1,
  }) as const;

/** On a feature map Keras applies a Dense layer to every pixel: a 1x1 convolution. */
export function dense(c: Context, input: Value): Value {
  const outFeatures = c.attributes.integer('units');
  const shape = c.shape(input);
  const [inFeatures = 0] = shape;
  const arrange = (data: Float32Array) => denseToOutIn(data, inFeatures, outFeatures, input.flattened);
  const isMap = shape.length === 3;
  const ours = isMap ? [outFeatures, inFeatures, 1, 1] : [outFeatures, inFeatures];
  const weight = c.weight('kernel', [inFeatures, outFeatures], ours, arrange);
  const weights = { weight, bias: bias(c, outFeatures) };
  return c.activated(
    isMap
      ? c.builder.add({ ...pointwise(c, input, outFeatures), ...weights })
      : c.builder.add({ ...c.base(input), kind: 'dense', outFeatures, ...weights }),
  );
}

/** Keras: moving = m moving + (1 - m) batch; ours is PyTorch's convention, 1 - m. */
export function batchNorm(c: Context, input: Value): Value {
  const shape = c.shape(input);
  const channels = [shape[0] as number];
  if (!c.attributes.isLastAxis('axis', shape.length + 1)) c.report(`axis = ${show(c.layer.config.axis)}`);
  const layer = c.builder.add({
    ...c.base(input),
    kind: 'batchNorm',
    epsilon: c.attributes.number('epsilon', 1e-3),
    momentum: 1 - c.attributes.number('momentum', 0.99),
    weight: c.attributes.flag('scale', true) ? c.weight('gamma', channels) : null,
    bias: c.attributes.flag('center', true) ? c.weight('beta', channels) : null,
    runningMean: c.weight('moving_mean', channels),
    runningVariance: c.weight('moving_variance', channels),
  });
  return value(layer);
}
