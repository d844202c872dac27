import { EngineError } from '../../errors.js';
import type { Tensor } from '../../tensor.js';

export interface NormParameters {
  /** Scale and offset, dense; null stands for 1 and 0. */
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  /** Added to the variance, which is the biased one. */
  readonly epsilon: number;
}

/** Throws `INVALID_SHAPE` unless weight and bias, where they are, are dense of `shape`. */
export function checkNormParameters({ weight, bias }: NormParameters, shape: readonly number[], what: string): void {
  for (const tensor of [weight, bias]) {
    if (tensor && (tensor.layout !== 'dense' || tensor.shape.join() !== shape.join())) {
      throw new EngineError(
        'INVALID_SHAPE',
        `${what}: weight and bias are dense [${shape.join(', ')}]; ${tensor.label} is ${tensor.layout} [${tensor.shape.join(', ')}].`,
      );
    }
  }
}
