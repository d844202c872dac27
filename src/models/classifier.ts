import type { Conv2dLayer, DenseLayer, Layer, Network } from './network.js';

const byName = (network: Network): Map<string, Layer> => new Map(network.layers.map((layer) => [layer.name, layer]));

const isPooling = (layer: Layer): boolean =>
  layer.kind === 'globalAveragePool' || layer.kind === 'averagePool' || layer.kind === 'maxPool';

/**
 * The layer that makes the class scores, or null for a network that ends in features (one cut after its pooling).
 *
 * It is the last dense layer, unless an activation follows it (then it is a hidden layer whose outputs are features), or, as
 * in SqueezeNet, a 1x1 convolution followed by an optional ReLU and pooling only. Any network cut after its pooling could look like
 * the latter, so such a convolution counts only where it makes as many channels as the network has classes or, where
 * classes are unknown, where dropout comes directly before it.
 */
export function findClassifier(network: Network): DenseLayer | Conv2dLayer | null {
  const layers = byName(network);
  let layer = network.layers.at(-1);
  let pooled = false;
  let activated = false;
  while (layer) {
    if (layer.kind === 'dense') return activated ? null : layer;
    if (layer.kind === 'conv2d') return isConvolutionalClassifier(network, layer, layers, pooled) ? layer : null;
    if (isPooling(layer)) pooled = true;
    else if (layer.kind === 'activation') activated = true;
    else if (layer.kind !== 'softmax' && layer.kind !== 'dropout' && layer.kind !== 'flatten') return null;
    layer = layers.get(layer.inputs[0] ?? '');
  }
  return null;
}

function isConvolutionalClassifier(
  network: Network,
  layer: Conv2dLayer,
  layers: ReadonlyMap<string, Layer>,
  pooled: boolean,
): boolean {
  if (!pooled || layer.kernel[0] !== 1 || layer.kernel[1] !== 1 || layer.groups !== 1) return false;
  if (network.classes) return layer.outChannels === network.classes.length;
  return layers.get(layer.inputs[0] ?? '')?.kind === 'dropout';
}
