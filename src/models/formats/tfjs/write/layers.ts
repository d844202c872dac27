import type { InputLayer, Layer } from '../../../network.js';
import { activation, binary, softmax } from './activations.js';
import { inexpressible, type KerasValue, type KerasWriter, plain } from './kerasWriter.js';
import { adaptiveAveragePool, globalAveragePool, pad, pool, reduce, resize, zeroPad } from './pooling.js';
import { channelShuffle, concat, flatten, reshape, transpose } from './shaping.js';
import { batchNorm, conv2d, dense, dense2d, distinctInputs, layerNorm, prelu } from './weighted.js';

type LayerOf<K extends Layer['kind']> = Extract<Layer, { readonly kind: K }>;
type Writers = { readonly [K in Layer['kind']]?: (w: KerasWriter, layer: LayerOf<K>) => KerasValue };

function input(w: KerasWriter, layer: InputLayer): KerasValue {
  const [channels, height, width] = layer.shape;
  if (layer.shape.length !== 3 || !layer.batched) return inexpressible(`shape [${layer.shape.join(', ')}]`);
  const config = { batch_input_shape: [null, height, width, channels], dtype: 'float32', sparse: false };
  return plain(w.add(layer.name, 'InputLayer', config, []));
}

function dropout(w: KerasWriter, layer: LayerOf<'dropout'>): KerasValue {
  const { name, flat } = w.value(layer);
  return { name: w.add(layer.name, 'Dropout', { rate: layer.rate }, [name]), flat };
}

function add(w: KerasWriter, layer: LayerOf<'add'>): KerasValue {
  return plain(w.add(layer.name, 'Add', {}, distinctInputs(w, layer)));
}

const WRITERS: Writers = {
  input,
  // Read by the layers that use it.
  parameter: () => plain(''),
  conv2d,
  dense,
  dense2d,
  batchNorm,
  layerNorm,
  channelNorm: layerNorm,
  activation,
  prelu,
  maxPool: pool,
  averagePool: pool,
  globalAveragePool,
  adaptiveAveragePool,
  add,
  binary,
  dropout,
  // Nothing is left out where a network predicts.
  stochasticDepth: (w, layer) => w.value(layer),
  concat,
  flatten,
  reshape,
  transpose,
  channelShuffle,
  zeroPad,
  pad,
  resize,
  reduce,
  softmax,
  logSoftmax: softmax,
};

/** Adds a layer of ours to a Keras model. Throws Inexpressible. */
export function writeLayer(w: KerasWriter, layer: Layer): KerasValue {
  const write = WRITERS[layer.kind] as ((w: KerasWriter, layer: Layer) => KerasValue) | undefined;
  if (layer.kind !== 'binary' && layer.inputs.some((name) => w.layer(name).kind === 'parameter')) {
    return inexpressible('a parameter as its input');
  }
  return write ? write(w, layer) : inexpressible(null);
}
