import { binary, type BinaryOperator, combine, softmax } from '../tensorflow/elementwise.js';
import { activation } from '../tensorflow/elementwise.js';
import { concat, flatten, pad, reshape, slice, transpose } from '../tensorflow/shaping.js';
import { pool, reduce, resize } from '../tensorflow/spatial.js';
import { type Constant, notMapped, type Value } from '../tensorflow/value.js';
import { activate } from './activations.js';
import type { Context } from './context.js';
import { asList, fail, show } from './json.js';
import {
  batchNormLayer,
  conv2dLayer,
  denseLayer,
  depthwiseLayer,
  groupNormLayer,
  layerNormLayer,
  layerScaleLayer,
  normalizationLayer,
  preluLayer,
  separableLayer,
} from './weightedLayers.js';

export type Converter = (c: Context) => Value;

/** Pictures [null, height, width, channels], or vectors. */
function inputLayer(c: Context): Value {
  const { config } = c.layer;
  const shape = asList(config.batch_input_shape ?? config.batch_shape, `${c.name}: batch_input_shape`);
  const sizes = shape.slice(1).map((size, index) => {
    if (typeof size === 'number') return size;
    const isSide = shape.length === 4 && index < 2;
    return isSide ? (c.options.inputSize ?? 224) : fail(`${c.name}: a size of its shape ${show(shape)} is unknown.`);
  });
  if (shape.length !== 4)
    return notMapped(`batch_input_shape = ${show(shape)}; pictures are [null, height, width, channels]`);
  const [height, width, channels] = sizes as [number, number, number];
  const layer = c.builder.add({
    name: c.name,
    inputs: [],
    kind: 'input',
    shape: [channels, height, width],
    batched: true,
    type: 'float32',
  });
  return { layer, order: 'maps' };
}

const pooling =
  (kind: 'maxPool' | 'averagePool'): Converter =>
  (c) => {
    const kernel = c.attributes.pair('pool_size', [2, 2]);
    return pool(c, kind, c.input, kernel, c.attributes.window(kernel));
  };

const globalPooling =
  (operator: 'mean' | 'max'): Converter =>
  (c) => {
    c.attributes.require('data_format', 'channels_last');
    if (c.shape(c.input).length !== 4) notMapped('an input that is no map');
    return reduce(c, operator, c.input, [1, 2], c.attributes.flag('keepdims', false));
  };

function zeroPadding(c: Context): Value {
  c.attributes.require('data_format', 'channels_last');
  const { before, after } = c.attributes.margins('padding');
  return pad(c, c.input, [0, ...before, 0], [0, ...after, 0]);
}

function cropping(c: Context): Value {
  c.attributes.require('data_format', 'channels_last');
  const { before, after } = c.attributes.margins('cropping');
  const shape = c.shape(c.input);
  if (shape.length !== 4) notMapped('an input that is no map');
  const ranges = [0, 1].map((side) => {
    const size = shape[side + 1] as number;
    return { axis: side + 1, start: before[side] as number, end: size - (after[side] as number), step: 1 };
  });
  return slice(c, c.input, ranges);
}

function upSampling(c: Context): Value {
  c.attributes.require('data_format', 'channels_last');
  const [vertical, horizontal] = c.attributes.pair('size', [2, 2]);
  const [, height, width] = c.shape(c.input) as [number, number, number];
  const size = [height * vertical, width * horizontal] as const;
  return resized(c, size, c.attributes.text('interpolation', 'nearest'));
}

function resizing(c: Context): Value {
  c.attributes.require('data_format', 'channels_last');
  c.attributes.require('crop_to_aspect_ratio', false);
  c.attributes.require('pad_to_aspect_ratio', false);
  c.attributes.require('antialias', false);
  const size = [c.attributes.integer('height'), c.attributes.integer('width')] as const;
  return resized(c, size, c.attributes.text('interpolation', 'bilinear'));
}

function resized(c: Context, size: readonly [number, number], interpolation: string): Value {
  switch (interpolation) {
    case 'nearest': {
      const coordinates = c.dialect === 'tfjs' ? 'asymmetric' : 'tf_half_pixel_for_nn';
      return resize(c, c.input, size, { mode: 'nearest', coordinates, rounding: 'floor' });
    }
    case 'bilinear': {
      // TF.js takes places from the corner, not from the centres of pixels as Keras does.
      const coordinates = c.dialect === 'tfjs' ? 'asymmetric' : 'half_pixel';
      return resize(c, c.input, size, { mode: 'linear', coordinates, rounding: 'floor' });
    }
    default:
      return notMapped(`interpolation = ${show(interpolation)}`);
  }
}

/** max_value where x >= max_value, x above the threshold 0, else negative_slope x. */
function relu(c: Context): Value {
  c.attributes.require('threshold', 0);
  const max = c.attributes.optionalNumber('max_value');
  const slope = c.attributes.number('negative_slope', 0);
  if (slope === 0) {
    if (max === null) return activation(c, c.input, 'relu');
    return activation(c, c.input, max === 6 ? 'relu6' : { kind: 'clip', min: 0, max });
  }
  const name = max === null ? c.name : `${c.name}_leaky`;
  const leaky = activation(c, c.input, { kind: 'leakyRelu', slope }, name);
  return max === null ? leaky : activation(c, leaky, { kind: 'clip', min: null, max });
}

function leakyRelu(c: Context): Value {
  // Keras 2 and TF.js call it alpha, Keras 3 negative_slope.
  const slope = c.attributes.optionalNumber('negative_slope') ?? c.attributes.number('alpha', 0.3);
  return activation(c, c.input, { kind: 'leakyRelu', slope });
}

/** target_shape is without the batch; TF.js writes null for -1. */
function reshapeLayer(c: Context): Value {
  const sizes = asList(c.layer.config.target_shape, `${c.name}: target_shape`).map((size) => {
    const given = size ?? -1;
    if (!Number.isSafeInteger(given)) fail(`${c.name}: target_shape must be integers; got ${show(size)}.`);
    return given as number;
  });
  return reshape(c, c.input, sizes);
}

/** `dims` count from 1, without the batch. */
function permute(c: Context): Value {
  return transpose(c, c.input, [0, ...c.attributes.integers('dims', [])]);
}

function flattenLayer(c: Context): Value {
  c.attributes.require('data_format', 'channels_last');
  return flatten(c, c.input);
}

function concatenate(c: Context): Value {
  const [axis = -1] = c.attributes.integers('axis', [-1]);
  return concat(c, c.values, axis);
}

const merging =
  (operator: BinaryOperator): Converter =>
  (c) =>
    combine(c, operator, c.values);

const scalar = (value: number): Constant => ({ shape: [], data: Float32Array.of(value) });

function average(c: Context): Value {
  const { values } = c;
  const sum = values.reduce((total, value, index) => binary(c, 'add', total, value, `${c.name}_${index}`));
  return binary(c, 'mul', sum, scalar(1 / values.length));
}

/** x scale + offset; each is one number or one for each channel. */
function rescaling(c: Context): Value {
  const constant = (data: Float32Array): Constant => ({ shape: data.length === 1 ? [] : [data.length], data });
  const scale = c.attributes.numbers('scale') ?? Float32Array.of(1);
  const offset = c.attributes.numbers('offset') ?? Float32Array.of(0);
  const hasOffset = offset.some((value) => value !== 0);
  const scaled = binary(c, 'mul', c.input, constant(scale), hasOffset ? `${c.name}_scaled` : c.name);
  return hasOffset ? binary(c, 'add', scaled, constant(offset)) : scaled;
}

/** Inception-ResNet-v2's in keras.applications: x + scale y. */
function customScale(c: Context): Value {
  const [x, y, ...rest] = c.values;
  if (!x || !y || rest.length > 0) return notMapped(`${c.values.length} inputs; it takes 2`);
  return binary(c, 'add', x, binary(c, 'mul', y, scalar(c.attributes.number('scale', 1)), `${c.name}_scaled`));
}

function dropout(c: Context): Value {
  const rate = c.attributes.number('rate', 0);
  const layer = c.builder.add({ name: c.name, inputs: [c.input.layer], kind: 'dropout', rate });
  return { layer, order: c.input.order };
}

/** Layers that do something in training only, and nothing to what a network computes. */
const identity: Converter = (c) => c.input;

function softmaxLayer(c: Context): Value {
  const axes = c.attributes.integers('axis', [-1]);
  return softmax(c, c.input, axes.length === 1 ? (axes[0] as number) : notMapped(`axis = ${show(axes)}`));
}

function repeatVector(c: Context): Value {
  const [, features] = c.shape(c.input) as [number, number];
  const rows = reshape(c, c.input, [1, features], `${c.name}_row`);
  const shape = [0, c.attributes.integer('n'), features];
  return { layer: c.builder.add({ name: c.name, inputs: [rows.layer], kind: 'expand', shape }), order: 'same' };
}

export const LAYERS: Readonly<Record<string, Converter>> = {
  InputLayer: inputLayer,
  Conv2D: conv2dLayer,
  DepthwiseConv2D: depthwiseLayer,
  SeparableConv2D: separableLayer,
  Dense: denseLayer,
  BatchNormalization: batchNormLayer,
  SyncBatchNormalization: batchNormLayer,
  LayerNormalization: layerNormLayer,
  GroupNormalization: groupNormLayer,
  LayerScale: layerScaleLayer,
  Normalization: normalizationLayer,
  Rescaling: rescaling,
  PReLU: preluLayer,
  ReLU: relu,
  LeakyReLU: leakyRelu,
  ELU: (c) => activation(c, c.input, { kind: 'elu', alpha: c.attributes.number('alpha', 1) }),
  Softmax: softmaxLayer,
  Activation: (c) => activate(c, c.input, c.layer.config.activation, c.dialect),
  MaxPooling2D: pooling('maxPool'),
  AveragePooling2D: pooling('averagePool'),
  GlobalMaxPooling2D: globalPooling('max'),
  GlobalAveragePooling2D: globalPooling('mean'),
  ZeroPadding2D: zeroPadding,
  Cropping2D: cropping,
  UpSampling2D: upSampling,
  Resizing: resizing,
  Add: merging('add'),
  Subtract: merging('sub'),
  Multiply: merging('mul'),
  Maximum: merging('max'),
  Minimum: merging('min'),
  Average: average,
  CustomScaleLayer: customScale,
  'Custom>CustomScaleLayer': customScale,
  Concatenate: concatenate,
  Flatten: flattenLayer,
  Reshape: reshapeLayer,
  Permute: permute,
  RepeatVector: repeatVector,
  Dropout: dropout,
  AlphaDropout: identity,
  SpatialDropout2D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  StochasticDepth: identity,
  ActivityRegularization: identity,
  RandomFlip: identity,
  RandomRotation: identity,
  RandomZoom: identity,
  RandomContrast: identity,
  RandomTranslation: identity,
  RandomBrightness: identity,
};
