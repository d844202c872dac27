import { type Model, readers } from './graph.js';
import type { Conv2dLayer, Layer, Padding, ZeroPadLayer } from './network.js';
import { inferShapes } from './shapes.js';

const sum = (a: Padding, b: Padding): Padding => ({
  top: a.top + b.top,
  left: a.left + b.left,
  bottom: a.bottom + b.bottom,
  right: a.right + b.right,
});

/** The zero padding that `layer` alone reads, if `layer` is a convolution: it can pad by itself. */
function foldablePadding(
  layer: Layer,
  layers: ReadonlyMap<string, Layer>,
  readBy: ReadonlyMap<string, readonly Layer[]>,
): ZeroPadLayer | null {
  if (layer.kind !== 'conv2d') return null;
  const input = layers.get(layer.inputs[0] ?? '');
  return input?.kind === 'zeroPad' && readBy.get(input.name)?.length === 1 ? input : null;
}

/** An average pooling whose one window is the whole map is a global pooling. */
function asGlobalPool(layer: Layer, input: readonly number[]): Layer {
  if (layer.kind !== 'averagePool') return layer;
  const { kernel, padding, name, inputs, learningRateFactor } = layer;
  const isUnpadded = Object.values(padding).every((size) => size === 0);
  if (!isUnpadded || kernel[0] !== input[1] || kernel[1] !== input[2]) return layer;
  return { kind: 'globalAveragePool', name, inputs, learningRateFactor, flatten: false };
}

/**
 * The same function in fewer and cheaper layers: explicit zero padding moves into the convolution behind it, and an average
 * pooling over the whole map becomes a global one. Names of the layers that stay, and all weights, are unchanged.
 */
export function simplify({ network, weights }: Model): Model {
  const layers = new Map(network.layers.map((layer) => [layer.name, layer]));
  const readBy = readers(network.layers);
  const shapes = inferShapes(network);
  const folded = new Set<string>();
  const simplified = network.layers.map((layer) => {
    const pad = foldablePadding(layer, layers, readBy);
    if (!pad) return asGlobalPool(layer, shapes.get(layer.inputs[0] ?? '') ?? []);
    folded.add(pad.name);
    const convolution = layer as Conv2dLayer;
    return { ...convolution, inputs: pad.inputs, padding: sum(pad.padding, convolution.padding) };
  });
  return { network: { ...network, layers: simplified.filter((layer) => !folded.has(layer.name)) }, weights };
}
