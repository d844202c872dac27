/**
 * A network as data: an ordered list of named layers. A revision of a network is one immutable value of `Network` plus one
 * immutable set of weights; every edit makes new values and never touches the old ones.
 *
 * Shapes are logical: [N, C, H, W] for pictures and feature maps, [N, F] for vectors. Axes count the batch as axis 0. Each kind of
 * layer is defined in `layers`.
 */
import type { Activation, ActivationLayer, PreluLayer } from './layers/activation.js';
import type {
  ChannelShuffleLayer,
  ConcatLayer,
  ExpandLayer,
  FlattenLayer,
  ReshapeLayer,
  SliceLayer,
  TransposeLayer,
} from './layers/arrangement.js';
import type { Conv2dLayer, ConvTranspose2dLayer } from './layers/convolution.js';
import type { Dense2dLayer, DenseLayer } from './layers/dense.js';
import type { AddLayer, BinaryLayer, DropoutLayer, StochasticDepthLayer, UnaryLayer } from './layers/elementwise.js';
import type { InputLayer, ParameterLayer } from './layers/input.js';
import type {
  BatchNormLayer,
  ChannelNormLayer,
  GroupNormLayer,
  L2NormalizeLayer,
  LayerNormLayer,
  LocalResponseNormLayer,
} from './layers/norms.js';
import type { CumulativeSumLayer, RoundToLayer } from './layers/numbers.js';
import type {
  AdaptiveAveragePoolLayer,
  GlobalAveragePoolLayer,
  MaxPoolIndicesLayer,
  PoolLayer,
} from './layers/pooling.js';
import type { LogSoftmaxLayer, MatmulLayer, ReduceLayer, SoftmaxLayer } from './layers/reduction.js';
import type { ArgExtremeLayer, GatherElementsLayer, GatherLayer, TopKLayer, WhereLayer } from './layers/selection.js';
import type { PadLayer, ResizeLayer, ZeroPadLayer } from './layers/spatial.js';
import type { Conv3dLayer, ConvTranspose3dLayer } from './layers/volume.js';

export type {
  Activation,
  ActivationLayer,
  BatchNormLayer,
  Conv2dLayer,
  DenseLayer,
  InputLayer,
  PoolLayer,
  ZeroPadLayer,
};

/** Explicit zero padding of the two spatial dimensions; `same` rules of file formats are resolved at import. */
export interface Padding {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export interface LayerBase {
  /** Unique within the network; taken from the framework or file that the network came from. */
  readonly name: string;
  /** Names of the layers whose outputs this layer reads, in order. */
  readonly inputs: readonly string[];
  /** Multiplies the run's learning rate; 0 is frozen: neither weights nor batch-norm statistics move. */
  readonly learningRateFactor: number;
}

/** Shape of a value: complete, with the batch in front where it has one, unless said otherwise. */
export type LayerShape = readonly number[];

export type Layer =
  | InputLayer
  | ParameterLayer
  | Conv2dLayer
  | DenseLayer
  | Dense2dLayer
  | BatchNormLayer
  | LayerNormLayer
  | ChannelNormLayer
  | GroupNormLayer
  | LocalResponseNormLayer
  | L2NormalizeLayer
  | ActivationLayer
  | PreluLayer
  | PoolLayer
  | GlobalAveragePoolLayer
  | AdaptiveAveragePoolLayer
  | AddLayer
  | BinaryLayer
  | UnaryLayer
  | DropoutLayer
  | StochasticDepthLayer
  | ConcatLayer
  | FlattenLayer
  | ReshapeLayer
  | TransposeLayer
  | SliceLayer
  | ExpandLayer
  | ChannelShuffleLayer
  | ZeroPadLayer
  | PadLayer
  | ResizeLayer
  | ReduceLayer
  | SoftmaxLayer
  | LogSoftmaxLayer
  | MatmulLayer
  | ConvTranspose2dLayer
  | Conv3dLayer
  | ConvTranspose3dLayer
  | MaxPoolIndicesLayer
  | WhereLayer
  | GatherLayer
  | GatherElementsLayer
  | ArgExtremeLayer
  | TopKLayer
  | RoundToLayer
  | CumulativeSumLayer;
export type LayerKind = Layer['kind'];

/** What a file may hold: any number of inputs (layers of kind `input`) and outputs. */
export interface Graph {
  /** Topological order: a layer comes after all of its inputs. */
  readonly layers: readonly Layer[];
  /** Outputs by the name that the file gives them. */
  readonly outputs: readonly { readonly name: string; readonly layer: string }[];
}

/** Logits beside the network's own, by another classifier in its middle: part of the loss in training, never computed else. */
export interface AuxiliaryOutput {
  readonly layer: string;
  /** Weight of its loss in the sum with the network's own. */
  readonly lossWeight: number;
}

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
  /** `GREY` is one channel: the luma of the normalised colours, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). */
  readonly channelOrder: 'RGB' | 'BGR' | 'GREY';
  /** value = (byte / scale - mean[c]) / std[c], channels in `channelOrder`; for GREY they are R, G, B. */
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** A graph that classifies pictures: one input [N, C, H, W], one output. */
export interface Network {
  /** Architecture or file that the network came from, e.g. `mobilenet_v2`. */
  readonly architecture: string;
  /** Topological order: a layer comes after all of its inputs. The first is the input; the last is the output (logits). */
  readonly layers: readonly Layer[];
  readonly preprocessing: Preprocessing;
  /** Labels of the outputs, in order; null where unknown. */
  readonly classes: readonly string[] | null;
  readonly auxiliary: readonly AuxiliaryOutput[];
}

/** A named parameter or statistic in float32, row-major in its logical shape. */
export interface WeightTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
export type Weights = ReadonlyMap<string, WeightTensor>;
