import { NO_PADDING } from '../../graph.js';
import type { ImportBuilder, ImportOptions } from '../importBuilder.js';
import { Attributes } from './attributes.js';
import { Context, type Value, value } from './context.js';
import { asList, fail, show } from './json.js';
import type { KerasLayer } from './topology.js';
import { batchNorm, conv2d, dense, depthwise, separableConv2d } from './weighted.js';
import type { FindWeight } from './weights.js';

const SUPPORTED_MERGES = ['Add', 'Concatenate'];

/** Turns Keras layers into ours, one at a time, in topological order. */
export class KerasConverter {
  constructor(
    private readonly builder: ImportBuilder,
    private readonly findWeight: FindWeight,
    private readonly options: ImportOptions,
  ) {}

  /** Returns null where the layer, or one before it, could not be converted; the builder has been told of the problem. */
  convert(layer: KerasLayer, inputs: readonly (Value | null)[]): Value | null {
    const before = this.builder.problems.length;
    const report = (attribute: string | null) => this.builder.problem(layer.id, layer.className, attribute);
    const attributes = new Attributes(layer, report);
    const convert = CONVERTERS[layer.className];
    if (!convert || !Object.hasOwn(CONVERTERS, layer.className)) {
      report(null);
      return null;
    }
    const merges = SUPPORTED_MERGES.includes(layer.className);
    const expected = layer.className === 'InputLayer' ? 0 : 1;
    if (merges ? inputs.length < 2 : inputs.length !== expected) fail(`${layer.id} has ${inputs.length} inputs.`);
    CHECKS[layer.className]?.(attributes);
    const known = inputs.filter((input) => input !== null);
    if (known.length < inputs.length || this.builder.problems.length > before) return null;
    if (!FOLLOWS_FLATTEN.has(layer.className) && known.some((input) => input.flattened)) {
      report('its input is a flattened map of more than one pixel; only Dense can follow that');
      return null;
    }
    const context = new Context(layer, attributes, this.builder, this.findWeight, this.options, report);
    const value = convert(context, known);
    return this.builder.problems.length > before ? null : value;
  }
}

type Converter = (c: Context, inputs: readonly Value[]) => Value;
const single =
  (convert: (c: Context, input: Value) => Value): Converter =>
  (c, inputs) =>
    convert(c, inputs[0] as Value);

function inputLayer(c: Context): Value {
  const { config } = c.layer;
  const shape = asList(config.batch_input_shape ?? config.batch_shape, `${c.id}: batch_input_shape`);
  if (shape.length !== 4) c.report(`batch_input_shape = ${show(shape)}; pictures are [null, height, width, channels]`);
  const size = (item: unknown) => (typeof item === 'number' ? item : (c.options.inputSize ?? 224));
  const channels = typeof shape[3] === 'number' ? shape[3] : fail(`${c.id}: the number of channels is unknown.`);
  const sides = [size(shape[1]), size(shape[2])] as const;
  return value(
    c.builder.add({
      name: c.id,
      inputs: [],
      kind: 'input',
      shape: [channels, ...sides],
      batched: true,
      type: 'float32',
    }),
  );
}

function pool(kind: 'maxPool' | 'averagePool'): Converter {
  return single((c, input) => {
    const kernel = c.attributes.pair('pool_size', [2, 2]);
    const stride = c.attributes.pair('strides', kernel);
    const padding = c.padding(input, kernel, stride, [1, 1]);
    const common = {
      ...c.base(input),
      kernel,
      stride,
      padding,
      dilation: [1, 1] as const,
      ceilMode: false,
      countIncludePad: false,
    };
    return value(c.builder.add({ ...common, kind }));
  });
}

function globalMaxPool(c: Context, input: Value): Value {
  const [, height, width] = c.map(input);
  const pooled = c.builder.add({
    ...c.base(input),
    kind: 'maxPool',
    kernel: [height, width],
    stride: [1, 1],
    padding: NO_PADDING,
    dilation: [1, 1] as const,
    ceilMode: false,
    countIncludePad: false,
  });
  if (c.attributes.flag('keepdims', false)) return value(pooled);
  return value(c.builder.add({ name: `${c.id}_flatten`, inputs: [pooled], kind: 'flatten', axis: 1 }));
}

function globalAveragePool(c: Context, input: Value): Value {
  const flatten = !c.attributes.flag('keepdims', false);
  return value(c.builder.add({ ...c.base(input), kind: 'globalAveragePool', flatten }));
}

function flatten(c: Context, input: Value): Value {
  const shape = c.shape(input);
  if (shape.length === 1) return input;
  const [, height = 1, width = 1] = shape;
  const layer = c.builder.add({ ...c.base(input), kind: 'flatten', axis: 1 });
  return { layer, flattened: height * width > 1 ? shape : null };
}

/** Only what flattens, or turns [C] into [1, 1, C] and back. */
function reshape(c: Context, input: Value): Value {
  const target = asList(c.layer.config.target_shape, `${c.id}: target_shape`);
  const shape = c.shape(input);
  const elements = shape.reduce((product, size) => product * size, 1);
  const known = target.reduce<number>((product, size) => (size === -1 ? product : product * Number(size)), 1);
  const sizes = target.map((size) => (size === -1 ? elements / known : size));
  const [channels, height = 1, width = 1] = shape;
  if (sizes.length === 1 && sizes[0] === elements) return flatten(c, input);
  if (sizes.join() === [height, width, channels].join()) return shape.length === 3 ? input : asPixel(c, input);
  c.report(`target_shape = ${show(target)} from ${show([height, width, channels])}`);
  return input;
}

/** A vector as a map of one pixel: possible where it comes from a global pooling that can keep the map. */
function asPixel(c: Context, input: Value): Value {
  const layer = c.builder.layer(input.layer);
  if (layer.kind !== 'globalAveragePool' || c.builder.isRead(layer.name)) {
    c.report('it turns a vector into a map, which is supported directly after a global pooling only');
    return input;
  }
  c.builder.replace({ ...layer, flatten: false });
  return input;
}

function concatenate(c: Context, inputs: readonly Value[]): Value {
  const rank = c.shape(inputs[0] as Value).length + 1;
  if (!c.attributes.isLastAxis('axis', rank)) c.report(`axis = ${show(c.layer.config.axis)}`);
  return value(c.builder.add({ name: c.id, inputs: inputs.map((input) => input.layer), kind: 'concat', axis: 1 }));
}

function dropout(c: Context, input: Value): Value {
  const layer = c.builder.add({ ...c.base(input), kind: 'dropout', rate: c.attributes.number('rate', 0) });
  return { layer, flattened: input.flattened };
}

function activation(c: Context, input: Value): Value {
  const kind = c.attributes.activation();
  return kind === null ? input : c.activate(input, kind, c.id);
}

const CONVERTERS: Readonly<Record<string, Converter>> = {
  InputLayer: inputLayer,
  Conv2D: single(conv2d),
  DepthwiseConv2D: single((c, input) => c.activated(depthwise(c, input, c.id, true))),
  SeparableConv2D: single(separableConv2d),
  Dense: single(dense),
  BatchNormalization: single(batchNorm),
  ReLU: single((c, input) => c.activate(input, c.layer.config.max_value === 6 ? 'relu6' : 'relu', c.id)),
  Activation: single(activation),
  Softmax: single((c, input) => c.activate(input, 'softmax', c.id)),
  ZeroPadding2D: single((c, input) =>
    value(c.builder.add({ ...c.base(input), kind: 'zeroPad', padding: c.attributes.zeroPadding() })),
  ),
  MaxPooling2D: pool('maxPool'),
  AveragePooling2D: pool('averagePool'),
  GlobalMaxPooling2D: single(globalMaxPool),
  GlobalAveragePooling2D: single(globalAveragePool),
  Add: (c, inputs) => value(c.builder.add({ name: c.id, inputs: inputs.map((input) => input.layer), kind: 'add' })),
  Concatenate: concatenate,
  Dropout: single(dropout),
  Flatten: single(flatten),
  Reshape: single(reshape),
};

/** Layers whose result does not depend on the order of a flattened map's values, or that put it right (Dense). */
const FOLLOWS_FLATTEN = new Set(['Dense', 'Dropout', 'ReLU', 'Activation', 'Flatten']);

const mapLayer = (attributes: Attributes): void => attributes.map();
const mapWithActivation = (attributes: Attributes): void => {
  attributes.map();
  attributes.activation();
};

/** Checks that need no shapes: done for every layer, so that one error lists everything. */
const CHECKS: Readonly<Record<string, (attributes: Attributes) => void>> = {
  Conv2D: mapWithActivation,
  DepthwiseConv2D: mapWithActivation,
  SeparableConv2D: mapWithActivation,
  MaxPooling2D: mapLayer,
  AveragePooling2D: mapLayer,
  GlobalMaxPooling2D: mapLayer,
  GlobalAveragePooling2D: mapLayer,
  ZeroPadding2D: (attributes) => attributes.require('data_format', 'channels_last'),
  Flatten: (attributes) => attributes.require('data_format', 'channels_last'),
  Dense: (attributes) => void attributes.activation(),
  Activation: (attributes) => void attributes.activation(),
  Softmax: (attributes) => attributes.require('axis', -1),
  ReLU: (attributes) => {
    attributes.require('max_value', 6);
    attributes.require('negative_slope', 0);
    attributes.require('threshold', 0);
  },
};
