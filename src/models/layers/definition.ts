import type { Activation as KernelActivation } from '../../kernels/ops/activation/kinds.js';
import type { PlanBuilder } from '../../kernels/planBuilder.js';
import type { Tensor } from '../../kernels/tensor.js';
import { ModelError } from '../errors.js';
import type { LayerBase, LayerShape } from '../network.js';
import type { Field } from './fields.js';

/** What `build` may ask for: the layer's weights on the device, and how the plan is used. */
export interface BuildContext {
  readonly b: PlanBuilder;
  /** Whether this layer trains in this plan: batch norms then use the batch's statistics. */
  readonly trains: boolean;
  /** A weight in float32. */
  parameter(name: string): Tensor;
  /** A large weight, in the float type of the activations. */
  kernel(name: string): Tensor;
  /** A statistic: never trained, but a kernel may update it. */
  statistic(name: string): Tensor;
  /** Dropout of this layer's own random stream; nothing where the plan is not for training. */
  dropout(x: Tensor, rate: number): Tensor;
  /** The same, but of whole pictures. */
  dropPictures(x: Tensor, rate: number): Tensor;
}

/** One input for certain; a kind that takes none never looks. */
export type Inputs<T> = readonly [T, ...T[]];

/** A layer as data is an object of these fields beside those of `LayerBase`. */
type OwnFields<L extends LayerBase & { readonly kind: string }> = Exclude<keyof L, keyof LayerBase | 'kind'>;

/**
 * All that Graft knows of one kind of layer. Shapes are complete: with the batch where a value has one. Adding a kind takes its
 * interface, its definition, and a line in `registry.ts`.
 */
export interface LayerDefinition<L extends LayerBase & { readonly kind: string }> {
  readonly kind: L['kind'];
  /** How many inputs it takes. */
  readonly inputs: { readonly least: number; readonly most: number };
  /** Checks and reads what layers of this kind have beside `LayerBase`. */
  readonly fields: { readonly [K in OwnFields<L>]: Field<L[K]> };
  /** Shape of the output. Throws INVALID_NETWORK (see `fail`) where inputs do not fit. */
  shape(layer: L, inputs: Inputs<LayerShape>): number[];
  /** Shapes of the weights by field, for fields that name one. */
  weightShapes?(layer: L, inputs: Inputs<LayerShape>): { readonly [field: string]: readonly number[] };
  /** Multiplications with an addition, as published counts have it: convolutions and products only. */
  multiplyAdds?(layer: L, inputs: Inputs<LayerShape>, output: LayerShape): number;
  /**
   * Puts the layer onto a plan. `activation` is one that comes behind, where `fusesActivation`. Missing for kinds that
   * the forward pass treats by itself (input, convolution with all that is fused into it).
   */
  build?(context: BuildContext, layer: L, inputs: Inputs<Tensor>, activation: KernelActivation | null): Tensor;
  /** Whether `build` takes an activation that follows. */
  readonly fusesActivation?: boolean;
}

export const ONE_INPUT = { least: 1, most: 1 } as const;

export const define = <L extends LayerBase & { readonly kind: string }>(
  definition: LayerDefinition<L>,
): LayerDefinition<L> => definition;

export const show = (shape: LayerShape): string => `[${shape.join(', ')}]`;

/** Throws INVALID_NETWORK, naming the layer. */
export function fail(layer: { readonly name: string; readonly kind: string }, message: string): never {
  throw new ModelError('INVALID_NETWORK', `Layer ${layer.name} (${layer.kind}): ${message}`);
}

/** [N, C, H, W] of a feature map. Throws INVALID_NETWORK for other ranks. */
export function asMap(
  layer: { readonly name: string; readonly kind: string },
  shape: LayerShape,
): readonly [number, number, number, number] {
  const [n, c, h, w] = shape;
  if (n === undefined || c === undefined || h === undefined || w === undefined || shape.length !== 4) {
    return fail(layer, `its input must be a feature map [N, C, H, W]; got ${show(shape)}.`);
  }
  return [n, c, h, w];
}

/** Throws INVALID_NETWORK where the groups of a convolution do not divide its channels. */
export function checkGroups(
  layer: {
    readonly name: string;
    readonly kind: string;
    readonly groups: number;
    readonly outChannels: number;
  },
  inChannels: number,
): void {
  const { groups, outChannels } = layer;
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    fail(layer, `${groups} groups must divide its ${inChannels} input and ${outChannels} output channels.`);
  }
}

/** Throws INVALID_NETWORK for an axis that a shape does not have. */
export function checkAxis(
  layer: { readonly name: string; readonly kind: string },
  axis: number,
  shape: LayerShape,
  what = 'axis',
): void {
  if (axis >= shape.length) fail(layer, `${what} ${axis} is none of its input ${show(shape)}.`);
}

/** The channels: axis 1. */
export function channelsOf(layer: { readonly name: string; readonly kind: string }, shape: LayerShape): number {
  const channels = shape[1];
  return channels ?? fail(layer, `its input must have channels, [N, C, ...]; got ${show(shape)}.`);
}
