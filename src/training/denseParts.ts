import type { Activation } from '../kernels/ops/activation/kinds.js';
import { concat } from '../kernels/ops/concat/concat.js';
import { dense } from '../kernels/ops/dense/dense.js';
import type { PlanBuilder } from '../kernels/planBuilder.js';
import { BYTES_PER_ELEMENT, type Tensor } from '../kernels/tensor.js';
import { asVector } from '../models/layers/dense.js';
import type { DenseLayer, Weights, WeightTensor } from '../models/network.js';
import type { DeviceWeights } from './deviceWeights.js';
import { weightOf } from './fold.js';

/** The most bytes that a kernel can read of one tensor. */
export const bindingLimit = (b: PlanBuilder): number => b.engine.device.limits.maxStorageBufferBindingSize;

/** Whether a dense layer's weight is larger than that: AlexNet's and VGG's are on some software adapters. */
export function exceedsBinding(b: PlanBuilder, { weight }: DenseLayer, weights: Weights, limit = bindingLimit(b)) {
  return weightOf(weights, weight).data.length * BYTES_PER_ELEMENT[b.activationType] > limit;
}

/** Rows `from` to `to`, without it, of a tensor: no copy. */
function rowsOf({ shape, data }: WeightTensor, from: number, to: number): WeightTensor {
  const [, ...rest] = shape;
  const size = rest.reduce((product, length) => product * length, 1);
  return { shape: [to - from, ...rest], data: data.subarray(from * size, to * size) };
}

/**
 * A dense layer whose weights stay as they are, as several that share its outputs out: each reads a part of the weight's rows, of at
 * most `limit` bytes. The numbers are those of the whole layer.
 */
export function denseInParts(
  b: PlanBuilder,
  layer: DenseLayer,
  given: Tensor,
  device: DeviceWeights,
  weights: Weights,
  activation: Activation | null,
  limit = bindingLimit(b),
): Tensor {
  const x = asVector(b, given);
  const rowBytes = (x.shape[1] as number) * BYTES_PER_ELEMENT[b.activationType];
  const most = Math.max(1, Math.floor(limit / rowBytes));
  const parts: Tensor[] = [];
  for (let from = 0; from < layer.outFeatures; from += most) {
    const to = Math.min(from + most, layer.outFeatures);
    const rows = (name: string, type: 'f32' | 'f16') =>
      b.persistent(
        device.derived(`${name} rows ${from} to ${to}`, () => rowsOf(weightOf(weights, name), from, to), type),
      );
    const bias = layer.bias === null ? null : rows(layer.bias, 'f32');
    parts.push(dense(b, x, rows(layer.weight, b.activationType), { bias, activation }));
  }
  return concat(b, parts);
}
