import type { Conv2dLayer, DenseLayer, Layer, Network } from './network.js';
import { inferShapes, vectorLength } from './shapes.js';

/** What lies between a layer and the end of the network. */
interface Behind {
  activation: Layer | null;
  pooled: boolean;
}

/**
 * The layer that makes the class scores, or null for a network that ends in features (one cut after its pooling).
 *
 * It is the last dense layer (or 1x1 convolution of a 1x1 map, the same thing), unless an activation follows: then it is a
 * hidden layer, whose outputs are features. Or, as in SqueezeNet, it is a 1x1 convolution of a larger map followed by
 * nothing but an optional ReLU and pooling. Features of a network cut after its pooling could look like that, too, where
 * batch norms are folded; so it must make as many channels as there are classes, where those are known, and the activation
 * must not be ReLU6, which feature layers (MobileNet) have and classifiers have not.
 */
export function findClassifier(network: Network): DenseLayer | Conv2dLayer | null {
  const layers = new Map(network.layers.map((layer) => [layer.name, layer]));
  const shapes = inferShapes(network);
  const behind: Behind = { activation: null, pooled: false };
  let layer = network.layers.at(-1);
  while (layer) {
    const input = shapes.get(layer.inputs[0] ?? '') ?? [];
    switch (layer.kind) {
      case 'dense':
        return behind.activation ? null : layer;
      case 'conv2d':
        return classifies(network, layer, input, behind) ? layer : null;
      case 'maxPool':
      case 'averagePool':
      case 'globalAveragePool':
      case 'adaptiveAveragePool':
        behind.pooled = true;
        break;
      case 'activation':
        behind.activation = layer;
        break;
      case 'softmax':
      case 'dropout':
      case 'flatten':
        break;
      default:
        return null;
    }
    layer = layers.get(layer.inputs[0] ?? '');
  }
  return null;
}

function classifies(network: Network, layer: Conv2dLayer, input: readonly number[], behind: Behind): boolean {
  if (layer.kernel[0] !== 1 || layer.kernel[1] !== 1 || layer.groups !== 1) return false;
  if (vectorLength(input) !== null) return !behind.activation;
  const isRelu6 = behind.activation?.kind === 'activation' && behind.activation.activation === 'relu6';
  const fits = !network.classes || network.classes.length === layer.outChannels;
  return behind.pooled && !isRelu6 && fits;
}
