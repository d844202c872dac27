import { convolvedLength, pooledLength } from '../kernels/ops/window.js';
import { ModelError } from './errors.js';
import type { Conv2dLayer, Layer, Network, Padding, PoolLayer } from './network.js';

/** Logical shape without the batch dimension: `[C, H, W]` or `[F]`. */
export type LayerShape = readonly number[];

const show = (shape: LayerShape): string => `[${shape.join(', ')}]`;

function fail(layer: Layer, message: string): never {
  throw new ModelError('INVALID_NETWORK', `Layer ${layer.name} (${layer.kind}): ${message}`);
}

function asMap(layer: Layer, shape: LayerShape): readonly [number, number, number] {
  const [c, h, w] = shape;
  if (c === undefined || h === undefined || w === undefined) {
    fail(layer, `its input must be a feature map [C, H, W]; got ${show(shape)}.`);
  }
  return [c, h, w];
}

/** Number of features of a vector `[F]` or of a 1x1 map `[F, 1, 1]`, which is the same in memory; null for larger maps. */
export function vectorLength(shape: LayerShape): number | null {
  const [features, height = 1, width = 1] = shape;
  return features !== undefined && height === 1 && width === 1 ? features : null;
}

function convolutionShape(layer: Conv2dLayer, input: LayerShape): number[] {
  const [channels, height, width] = asMap(layer, input);
  if (channels % layer.groups !== 0 || layer.outChannels % layer.groups !== 0) {
    fail(layer, `${layer.groups} groups must divide its ${channels} input and ${layer.outChannels} output channels.`);
  }
  const { kernel, stride, padding, dilation } = layer;
  return [
    layer.outChannels,
    convolvedLength(height, kernel[0], stride[0], padding.top + padding.bottom, dilation[0]),
    convolvedLength(width, kernel[1], stride[1], padding.left + padding.right, dilation[1]),
  ];
}

function pooledShape(layer: PoolLayer, input: LayerShape): number[] {
  const [channels, height, width] = asMap(layer, input);
  const { kernel, stride, padding, ceilMode } = layer;
  if (Math.max(padding.top, padding.bottom) >= kernel[0] || Math.max(padding.left, padding.right) >= kernel[1]) {
    fail(layer, `its padding must be smaller than its window of ${kernel.join(' x ')}, else a window sees no pixel.`);
  }
  return [
    channels,
    pooledLength(height, kernel[0], stride[0], padding.top, padding.bottom, ceilMode),
    pooledLength(width, kernel[1], stride[1], padding.left, padding.right, ceilMode),
  ];
}

function padded(layer: Layer, input: LayerShape, padding: Padding): number[] {
  const [channels, height, width] = asMap(layer, input);
  return [channels, height + padding.top + padding.bottom, width + padding.left + padding.right];
}

function concatenated(layer: Layer, inputs: readonly LayerShape[]): number[] {
  const [first, ...rest] = inputs as [LayerShape, ...LayerShape[]];
  for (const shape of rest) {
    if (shape.length !== first.length || shape[1] !== first[1] || shape[2] !== first[2]) {
      fail(layer, `its inputs must agree in all but the channels; got ${inputs.map(show).join(', ')}.`);
    }
  }
  return [inputs.reduce((sum, shape) => sum + (shape[0] as number), 0), ...first.slice(1)];
}

/** The output shape of one layer from those of its inputs. Throws INVALID_NETWORK where they do not fit. */
export function layerShape(layer: Layer, inputs: readonly LayerShape[]): number[] {
  const expected = layer.kind === 'input' ? 0 : 1;
  const many = layer.kind === 'add' || layer.kind === 'concat';
  if (many ? inputs.length < 2 : inputs.length !== expected) {
    fail(layer, `it takes ${many ? 'at least 2' : expected} input(s); got ${inputs.length}.`);
  }
  const shape = uncheckedShape(layer, inputs);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 1)) {
    fail(layer, `its output would be ${show(shape)}: the input ${inputs.map(show).join(', ')} is too small for it.`);
  }
  return shape;
}

function uncheckedShape(layer: Layer, inputs: readonly LayerShape[]): number[] {
  const input = inputs[0] ?? [];
  switch (layer.kind) {
    case 'input':
      return [...layer.shape];
    case 'conv2d':
      return convolutionShape(layer, input);
    case 'dense':
      if (vectorLength(input) === null)
        fail(layer, `its input must be a vector; got ${show(input)}: flatten it first.`);
      return [layer.outFeatures];
    case 'maxPool':
    case 'averagePool':
      return pooledShape(layer, input);
    case 'globalAveragePool': {
      const [channels] = asMap(layer, input);
      return layer.flatten ? [channels] : [channels, 1, 1];
    }
    case 'add':
      for (const shape of inputs) {
        if (show(shape) !== show(input)) {
          fail(layer, `its inputs must have one shape; got ${inputs.map(show).join(', ')}.`);
        }
      }
      return [...input];
    case 'concat':
      return concatenated(layer, inputs);
    case 'flatten':
      return [input.reduce((product, size) => product * size, 1)];
    case 'zeroPad':
      return padded(layer, input, layer.padding);
    case 'batchNorm':
    case 'activation':
    case 'dropout':
    case 'softmax':
      return [...input];
  }
}

/** Output shapes of all layers by name. Throws INVALID_NETWORK where a layer reads what is not there or does not fit. */
export function inferShapes(network: Pick<Network, 'layers'>): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  for (const layer of network.layers) {
    const inputs = layer.inputs.map(
      (name) => shapes.get(name) ?? fail(layer, `it reads ${name}, which does not exist or comes later.`),
    );
    shapes.set(layer.name, layerShape(layer, inputs));
  }
  return shapes;
}

export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly layer: Layer;
  readonly role: 'weight' | 'bias' | 'runningMean' | 'runningVariance';
}

/** Every weight that a network's layers name, in layer order, with the shape that it must have. */
export function weightSpecs(
  network: Network,
  shapes: ReadonlyMap<string, LayerShape> = inferShapes(network),
): WeightSpec[] {
  return network.layers.flatMap((layer) => {
    const input = shapes.get(layer.inputs[0] ?? '') ?? [];
    const specs: WeightSpec[] = [];
    const push = (role: WeightSpec['role'], name: string | null, shape: readonly number[]) => {
      if (name !== null) specs.push({ name, shape, layer, role });
    };
    if (layer.kind === 'conv2d') {
      push('weight', layer.weight, [layer.outChannels, (input[0] as number) / layer.groups, ...layer.kernel]);
      push('bias', layer.bias, [layer.outChannels]);
    } else if (layer.kind === 'dense') {
      push('weight', layer.weight, [layer.outFeatures, input[0] as number]);
      push('bias', layer.bias, [layer.outFeatures]);
    } else if (layer.kind === 'batchNorm') {
      const channels = [input[0] as number];
      push('weight', layer.weight, channels);
      push('bias', layer.bias, channels);
      push('runningMean', layer.runningMean, channels);
      push('runningVariance', layer.runningVariance, channels);
    }
    return specs;
  });
}
