import {
  batchNorm,
  conv2d,
  dense,
  depthwiseConv2d,
  groupNorm,
  layerNorm,
  prelu,
  separableConv2d,
} from '../tensorflow/weighted.js';
import { binary } from '../tensorflow/elementwise.js';
import { type Constant, notMapped, positiveAxis, type Value } from '../tensorflow/value.js';
import type { Context } from './context.js';
import { show } from './json.js';

const biasShape = (c: Context, size: number): readonly number[] | null =>
  c.attributes.flag('use_bias', true) ? [size] : null;

function channels(c: Context): number {
  const shape = c.shape(c.input);
  return shape.length === 4 ? (shape[3] as number) : notMapped(`an input [${shape.join(', ')}]; it needs a map`);
}

export function conv2dLayer(c: Context): Value {
  const { attributes } = c;
  const outChannels = attributes.integer('filters');
  const groups = attributes.integer('groups', 1);
  const perGroup = channels(c) / groups;
  const kernel = attributes.pair('kernel_size', [1, 1]);
  const window = attributes.window([1, 1]);
  const [weight, bias] = c.weights(['kernel', [...kernel, perGroup, outChannels]], ['bias', biasShape(c, outChannels)]);
  return c.activated(conv2d(c, c.input, weight as Constant, bias, window));
}

export function depthwiseLayer(c: Context): Value {
  const { attributes } = c;
  const multiplier = attributes.integer('depth_multiplier', 1);
  const inChannels = channels(c);
  const kernel = attributes.pair('kernel_size', [1, 1]);
  const window = attributes.window([1, 1]);
  const [weight, bias] = c.weights(
    ['depthwise_kernel', [...kernel, inChannels, multiplier]],
    ['bias', biasShape(c, inChannels * multiplier)],
  );
  return c.activated(depthwiseConv2d(c, c.input, weight as Constant, bias, window));
}

export function separableLayer(c: Context): Value {
  const { attributes } = c;
  const multiplier = attributes.integer('depth_multiplier', 1);
  const inChannels = channels(c);
  const outChannels = attributes.integer('filters');
  const kernel = attributes.pair('kernel_size', [1, 1]);
  const window = attributes.window([1, 1]);
  const [depthwise, pointwise, bias] = c.weights(
    ['depthwise_kernel', [...kernel, inChannels, multiplier]],
    ['pointwise_kernel', [1, 1, inChannels * multiplier, outChannels]],
    ['bias', biasShape(c, outChannels)],
  );
  return c.activated(separableConv2d(c, c.input, depthwise as Constant, pointwise as Constant, bias, window));
}

export function denseLayer(c: Context): Value {
  const units = c.attributes.integer('units');
  const features = c.shape(c.input).at(-1) as number;
  const [kernel, bias] = c.weights(['kernel', [features, units]], ['bias', biasShape(c, units)]);
  return c.activated(dense(c, c.input, kernel as Constant, bias));
}

const last = (c: Context): readonly number[] => [c.shape(c.input).at(-1) as number];

export function batchNormLayer(c: Context): Value {
  const { attributes } = c;
  c.requireLastAxis('axis', c.shape(c.input).length);
  const shape = last(c);
  const [scale, offset, mean, variance] = c.weights(
    ['gamma', attributes.flag('scale', true) ? shape : null],
    ['beta', attributes.flag('center', true) ? shape : null],
    ['moving_mean', shape],
    ['moving_variance', shape],
  );
  const affine = { scale, offset, epsilon: attributes.number('epsilon', 1e-3) };
  const momentum = 1 - attributes.number('momentum', 0.99);
  return batchNorm(c, c.input, affine, mean as Constant, variance as Constant, momentum);
}

/** Over the last axes of its input, which have to be consecutive. */
export function layerNormLayer(c: Context): Value {
  const { attributes } = c;
  const shape = c.shape(c.input);
  const axes = attributes.integers('axis', [-1]).map((axis) => positiveAxis(axis, shape.length));
  const first = Math.min(...axes);
  if (first < 1 || new Set(axes).size !== axes.length || shape.length - first !== axes.length) {
    notMapped(`axis = ${show(c.layer.config.axis)} of a value with ${shape.length} axes`);
  }
  attributes.require('rms_scaling', false);
  const normalized = shape.slice(first);
  const [scale, offset] = c.weights(
    ['gamma', attributes.flag('scale', true) ? normalized : null],
    ['beta', attributes.flag('center', true) ? normalized : null],
  );
  return layerNorm(c, c.input, axes.length, { scale, offset, epsilon: attributes.number('epsilon', 1e-3) });
}

export function groupNormLayer(c: Context): Value {
  const { attributes } = c;
  c.requireLastAxis('axis', c.shape(c.input).length);
  const shape = last(c);
  const [scale, offset] = c.weights(
    ['gamma', attributes.flag('scale', true) ? shape : null],
    ['beta', attributes.flag('center', true) ? shape : null],
  );
  // Keras takes -1 for as many groups as channels.
  const [groups = 32] = attributes.integers('groups', [32]);
  const count = groups === -1 ? (shape[0] as number) : groups;
  return groupNorm(c, c.input, count, { scale, offset, epsilon: attributes.number('epsilon', 1e-3) });
}

export function preluLayer(c: Context): Value {
  const shape = c.shape(c.input);
  const shared = c.attributes.integers('shared_axes', []).map((axis) => positiveAxis(axis, shape.length));
  const own = shape.map((size, axis) => (shared.includes(axis) ? 1 : size)).slice(1);
  const [alpha] = c.weights(['alpha', own]);
  return prelu(c, c.input, alpha as Constant);
}

/** ConvNeXt's in keras.applications: gamma for each channel (Touvron et al. 2021, CaiT). Trained, so a parameter of its own. */
export function layerScaleLayer(c: Context): Value {
  const shape = c.shape(c.input);
  const size = c.attributes.integer('projection_dim', shape.at(-1) as number);
  const [gamma] = c.weights(['gamma', [size]]);
  return binary(c, 'mul', c.input, gamma as Constant);
}

/** (x - mean) / sqrt(variance), with what `adapt` has learned or the configuration gives. */
export function normalizationLayer(c: Context): Value {
  const { attributes } = c;
  c.requireLastAxis('axis', c.shape(c.input).length);
  if (attributes.flag('invert', false)) notMapped('invert = true');
  const [givenMean, givenVariance] = [attributes.numbers('mean'), attributes.numbers('variance')];
  const [mean, variance] = givenMean && givenVariance ? [givenMean, givenVariance] : adapted(c);
  // Keras's own least divisor (backend.epsilon).
  const deviation = variance.map((value) => Math.max(Math.sqrt(value), 1e-7));
  const constant = (data: Float32Array): Constant => ({ shape: data.length === 1 ? [] : [data.length], data });
  const centred = binary(c, 'sub', c.input, constant(mean), `${c.name}_centred`);
  return binary(c, 'div', centred, constant(deviation));
}

function adapted(c: Context): readonly [Float32Array, Float32Array] {
  const shape = last(c);
  const [mean, variance] = c.weights(['mean', shape], ['variance', shape]);
  return [(mean as Constant).data, (variance as Constant).data];
}
