import { ModelError } from './errors.js';
import { LIMITS } from './limits.js';
import type { Model } from './graph.js';
import { truncateAt } from './surgery.js';
import { validateNetwork } from './validate.js';

/**
 * A model that reads pictures of another size, with the same weights: convolutions take any, and so do networks that pool
 * globally or adaptively in front of their dense layers. Auxiliary heads that the size leaves nothing for go. Throws INVALID_ARGUMENT
 * where the network itself cannot take it.
 */
export function resizeInput(model: Model, height: number, width: number): Model {
  for (const side of [height, width]) {
    if (!Number.isSafeInteger(side) || side < 1 || side > LIMITS.side) {
      throw new ModelError('INVALID_ARGUMENT', `A side of the input has 1 to ${LIMITS.side} pixels; got ${side}.`);
    }
  }
  const { network, weights } = model;
  const layers = network.layers.map((layer) =>
    layer.kind === 'input' ? { ...layer, shape: [layer.shape[0] as number, height, width] } : layer,
  );
  const resized = { ...network, layers, preprocessing: { ...network.preprocessing, height, width } };
  const output = network.layers.at(-1)?.name as string;
  const problem = (candidate: Model): ModelError | null => {
    try {
      validateNetwork(candidate.network, candidate.weights);
      return null;
    } catch (error) {
      if (error instanceof ModelError) return error;
      throw error;
    }
  };
  const whole = { network: resized, weights };
  if (problem(whole) === null) return whole;
  const bare = truncateAt(resized, weights, output);
  const failure = problem(bare);
  if (failure === null) return bare;
  throw new ModelError(
    'INVALID_ARGUMENT',
    `The network ${network.architecture} cannot read pictures of ${height} x ${width}: ${failure.message}`,
    [],
    { cause: failure },
  );
}
