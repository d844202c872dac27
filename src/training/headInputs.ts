import type { PlanBuilder } from '../kernels/planBuilder.js';
import type { Shape, Tensor } from '../kernels/tensor.js';
import type { Network } from '../models/network.js';
import { inputLayer, pictureInput } from './inference.js';

/** Values of a batch for the plan inputs that `HeadSource.addInputs` made. */
export type HeadInputs = Readonly<Record<string, ArrayBufferView>>;

/** Says what a head reads. */
export interface HeadSource {
  /** Puts onto a plan what the head reads of `size` pictures, by the layer whose value it is. */
  addInputs(b: PlanBuilder, size: number): Map<string, Tensor>;
}

/** Layers' values, uploaded with every batch: plan inputs by the layers' names, float32 [N, ...shape]. */
export const uploadedValues = (shapes: ReadonlyMap<string, Shape>): HeadSource => ({
  addInputs: (b, size) => new Map([...shapes].map(([name, shape]) => [name, b.input(name, [size, ...shape])])),
});

/** The pictures themselves: plan input `pictures`, N x H x W x 3 bytes. */
export const uploadedPictures = (network: Network): HeadSource => ({
  addInputs: (b, size) => new Map([[inputLayer(network).name, pictureInput(b, network, size)]]),
});
