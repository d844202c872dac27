import type { Layer } from '../../src/models/network.js';
import { inputLayer } from '../../src/training/inference.js';
import { benchNetwork } from '../networks.js';
import { normalised } from '../reference/network.js';
import type { InferenceSpec } from '../specs.js';
import { benchPictures } from '../workloads/inference.js';
import { foldedLayers } from './folded.js';
import { type Jax, type JaxArray, prepared } from './jaxFunctions.js';
import type { PreparedPeer } from './peer.js';

/** The network, batch norms folded, as one jitted function of weights and normalised pictures that are on the device. */
export function prepareJaxInference(jax: Jax, spec: InferenceSpec, name: string, seed: number): PreparedPeer {
  const original = benchNetwork(spec, seed);
  const { network, weights } = foldedLayers(original.network, original.weights);
  const { shape, data } = normalised(network, benchPictures(spec, name, seed));
  const names = [...weights.keys()];
  const operands = [
    jax.numpy.array(Float32Array.from(data), { shape }),
    ...[...weights.values()].map(({ shape: size, data: values }) => jax.numpy.array(values, { shape: size })),
  ];
  const compute = (...[x, ...values]: JaxArray[]) => {
    const byName = new Map(names.map((key, index) => [key, values[index] as JaxArray]));
    const results = new Map([[inputLayer(network).name, x as JaxArray]]);
    let last = x as JaxArray;
    for (const layer of network.layers) {
      if (layer.kind === 'input') continue;
      const inputs = layer.inputs.map((input) => (results.get(input) as JaxArray).ref);
      last = evaluate(jax, layer, inputs, (key) => (byName.get(key) as JaxArray).ref);
      results.set(layer.name, last);
    }
    return { logits: last.reshape([spec.batch, -1]) };
  };
  return prepared(jax, compute, operands);
}

function evaluate(
  { numpy: np, nn, lax }: Jax,
  layer: Layer,
  inputs: readonly JaxArray[],
  weight: (name: string) => JaxArray,
): JaxArray {
  const x = inputs[0] as JaxArray;
  const [batch = 1, channels = 1] = x.shape;
  switch (layer.kind) {
    case 'conv2d': {
      const { top, left, bottom, right } = layer.padding;
      const padding = [
        [top, bottom],
        [left, right],
      ] as const;
      const options = { rhsDilation: layer.dilation, featureGroupCount: layer.groups };
      const y = lax.convGeneralDilated(x, weight(layer.weight), layer.stride, padding, options);
      return layer.bias === null ? y : y.add(weight(layer.bias).reshape([1, layer.outChannels, 1, 1]));
    }
    case 'dense': {
      const y = np.matmul(x.reshape([batch, -1]), weight(layer.weight).transpose());
      return layer.bias === null ? y : y.add(weight(layer.bias));
    }
    case 'activation':
      return layer.activation === 'relu6' ? nn.relu6(x) : nn.relu(x);
    case 'maxPool': {
      const { top, left, bottom, right } = layer.padding;
      const widths = [
        [0, 0],
        [0, 0],
        [top, bottom],
        [left, right],
      ] as const;
      // Behind a ReLU, zeros are as good as minus infinity.
      const padded = top + left + bottom + right > 0 ? np.pad(x, widths) : x;
      return lax.reduceWindow(padded, (window) => np.max(window), layer.kernel, layer.stride);
    }
    case 'globalAveragePool': {
      const y = np.mean(x, [2, 3]);
      return layer.flatten ? y : y.reshape([batch, channels, 1, 1]);
    }
    case 'add':
      return x.add(inputs[1] as JaxArray);
    case 'concat':
      return np.concatenate(inputs, 1);
    case 'flatten':
      return x.reshape([batch, -1]);
    case 'dropout':
      return x;
    default:
      throw new Error(`The jax-js peer has no layer ${layer.kind}.`);
  }
}
