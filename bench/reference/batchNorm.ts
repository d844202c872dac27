import type { BatchNormSpec } from '../specs.js';

export const BATCH_NORM_EPSILON = 1e-5;

export interface BatchNormOperands {
  readonly x: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
  readonly dy?: ArrayLike<number>;
}

/** Batch norm in float64 and, where there is a dy, its gradients (Ioffe and Szegedy 2015, section 3). */
export function referenceBatchNorm(spec: BatchNormSpec, operands: BatchNormOperands): Record<string, Float64Array> {
  const { batch, channels, side } = spec;
  const { x, weight, bias, dy } = operands;
  const pixels = side ** 2;
  const count = batch * pixels;
  const y = new Float64Array(x.length);
  const dx = new Float64Array(dy ? x.length : 0);
  const dWeight = new Float64Array(dy ? channels : 0);
  const dBias = new Float64Array(dy ? channels : 0);
  for (let c = 0; c < channels; c++) {
    const sum = (value: (index: number) => number): number => {
      let total = 0;
      for (let n = 0; n < batch; n++) {
        const from = (n * channels + c) * pixels;
        for (let index = from; index < from + pixels; index++) total += value(index);
      }
      return total;
    };
    const mean = sum((index) => x[index] as number) / count;
    const variance = sum((index) => ((x[index] as number) - mean) ** 2) / count;
    const factor = 1 / Math.sqrt(variance + BATCH_NORM_EPSILON);
    const normalised = (index: number): number => ((x[index] as number) - mean) * factor;
    const scale = weight[c] as number;
    sum((index) => {
      y[index] = normalised(index) * scale + (bias[c] as number);
      return 0;
    });
    if (!dy) continue;
    const gradient = (index: number): number => dy[index] as number;
    const total = sum(gradient);
    const product = sum((index) => gradient(index) * normalised(index));
    dBias[c] = total;
    dWeight[c] = product;
    sum((index) => {
      dx[index] = scale * factor * (gradient(index) - total / count - (normalised(index) * product) / count);
      return 0;
    });
  }
  return dy ? { y, dx, dWeight, dBias } : { y };
}
