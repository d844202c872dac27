/**
 * A network as data: an ordered list of named layers. A revision of a network is one immutable value of `Network` plus one
 * immutable set of weights; every edit makes new values and never touches the old ones.
 *
 * Shapes are logical N, C, H, W without the batch dimension: `[C, H, W]` for pictures and feature maps, `[F]` for vectors.
 */

export type Activation = 'relu' | 'relu6';

/** Explicit zero padding of the two spatial dimensions; `same` rules of file formats are resolved at import. */
export interface Padding {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

interface LayerBase {
  /** Unique within the network; taken from the framework or file that the network came from. */
  readonly name: string;
  /** Names of the layers whose outputs this layer reads, in order. */
  readonly inputs: readonly string[];
  /** Multiplies the run's learning rate; 0 is frozen: neither weights nor batch-norm statistics move. */
  readonly learningRateFactor: number;
}

export interface InputLayer extends LayerBase {
  readonly kind: 'input';
  readonly shape: readonly [channels: number, height: number, width: number];
}
export interface Conv2dLayer extends LayerBase {
  readonly kind: 'conv2d';
  readonly outChannels: number;
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  readonly padding: Padding;
  readonly dilation: readonly [height: number, width: number];
  readonly groups: number;
  /** Names in the weights: `[outChannels, inChannels / groups, kh, kw]` and `[outChannels]`. */
  readonly weight: string;
  readonly bias: string | null;
}
export interface DenseLayer extends LayerBase {
  readonly kind: 'dense';
  readonly outFeatures: number;
  /** Names in the weights: `[outFeatures, inFeatures]` (PyTorch's order) and `[outFeatures]`. */
  readonly weight: string;
  readonly bias: string | null;
}
export interface BatchNormLayer extends LayerBase {
  readonly kind: 'batchNorm';
  readonly epsilon: number;
  /** Weight of the newest batch in the running statistics (PyTorch's convention: running = (1 - m) running + m batch). */
  readonly momentum: number;
  /** Names in the weights, each `[C]`. Scale or offset is null where the file has none. */
  readonly weight: string | null;
  readonly bias: string | null;
  readonly runningMean: string;
  readonly runningVariance: string;
}
export interface ActivationLayer extends LayerBase {
  readonly kind: 'activation';
  readonly activation: Activation;
}
export interface PoolLayer extends LayerBase {
  readonly kind: 'maxPool' | 'averagePool';
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  readonly padding: Padding;
  readonly ceilMode: boolean;
  /** Average pooling only: whether padding counts in the divisor. Always false for max pooling. */
  readonly countIncludePad: boolean;
}
/** Mean over all pixels: [C, H, W] -> [C, 1, 1], or [C] when `flatten`. */
export interface GlobalAveragePoolLayer extends LayerBase {
  readonly kind: 'globalAveragePool';
  readonly flatten: boolean;
}
export interface AddLayer extends LayerBase {
  readonly kind: 'add';
}
/** Along channels. */
export interface ConcatLayer extends LayerBase {
  readonly kind: 'concat';
}
export interface FlattenLayer extends LayerBase {
  readonly kind: 'flatten';
}
export interface DropoutLayer extends LayerBase {
  readonly kind: 'dropout';
  readonly rate: number;
}
/** Over features (or channels). */
export interface SoftmaxLayer extends LayerBase {
  readonly kind: 'softmax';
}
export interface ZeroPadLayer extends LayerBase {
  readonly kind: 'zeroPad';
  readonly padding: Padding;
}

export type Layer =
  | InputLayer
  | Conv2dLayer
  | DenseLayer
  | BatchNormLayer
  | ActivationLayer
  | PoolLayer
  | GlobalAveragePoolLayer
  | AddLayer
  | ConcatLayer
  | FlattenLayer
  | DropoutLayer
  | SoftmaxLayer
  | ZeroPadLayer;
export type LayerKind = Layer['kind'];

/** How a picture becomes the network's input. Part of the network: a head trained with one preprocessing needs it for ever. */
export interface Preprocessing {
  /** Side lengths of the network's input. */
  readonly height: number;
  readonly width: number;
  /**
   * `stretch` ignores the aspect ratio. `centerCrop` stretches the central `cropFraction` of both sides. `resizeThenCrop` keeps the
   * aspect ratio: it resizes the picture until the input's size is `cropFraction` of it and takes the centre; see `resizing`.
   */
  readonly fit: 'stretch' | 'centerCrop' | 'resizeThenCrop';
  readonly cropFraction: number;
  readonly interpolation: 'bilinear' | 'cubic';
  readonly channelOrder: 'RGB' | 'BGR';
  /** value = (byte / scale - mean[c]) / std[c], channels in `channelOrder`. */
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export interface Network {
  /** Architecture or file that the network came from, e.g. `mobilenet_v2`. */
  readonly architecture: string;
  /** Topological order: a layer comes after all of its inputs. The first is the input; the last is the output (logits). */
  readonly layers: readonly Layer[];
  readonly preprocessing: Preprocessing;
  /** Labels of the outputs, in order; null where unknown. */
  readonly classes: readonly string[] | null;
}

/** A named parameter or statistic in float32, row-major in its logical shape. */
export interface WeightTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
export type Weights = ReadonlyMap<string, WeightTensor>;
