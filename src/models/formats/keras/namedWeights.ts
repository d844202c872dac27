import type { Constant } from '../tensorflow/value.js';
import type { WeightSource } from './context.js';
import { fail } from './json.js';

/** Other names that versions of Keras give a weight. */
const ALTERNATIVES: Readonly<Record<string, readonly string[]>> = {
  depthwise_kernel: ['depthwise_kernel', 'kernel'],
};

/** A layer's name and its weight's have at most this many parts between slashes. */
const MAX_PARTS = 8;

/**
 * Finds weights by Keras's ways of naming them: `layer/kernel`, with or without scopes before it and `:0` behind. Throws
 * INVALID_FILE where several could be meant.
 */
export function namedWeights(weights: ReadonlyMap<string, Constant>): WeightSource {
  const bySuffix = new Map<string, Constant | 'ambiguous'>();
  for (const [name, weight] of weights) {
    const parts = name.replace(/:0$/, '').split('/').slice(-MAX_PARTS);
    for (let start = 0; start < parts.length - 1; start++) {
      const suffix = parts.slice(start).join('/');
      bySuffix.set(suffix, bySuffix.has(suffix) ? 'ambiguous' : weight);
    }
  }
  // Each weight has one layer: a damaged file cannot make one large weight many.
  const taken = new Set<Constant>();
  return {
    find(layer, weightName) {
      const candidates = (ALTERNATIVES[weightName] ?? [weightName]).flatMap((name) => [
        weights.get(`${layer.id}/${name}`),
        bySuffix.get(`${layer.id}/${name}`),
        bySuffix.get(`${layer.name}/${name}`),
      ]);
      const weight = candidates.find((candidate) => candidate !== undefined);
      if (weight === 'ambiguous') fail(`several weights of the file could be ${layer.id}/${weightName}.`);
      if (weight && taken.has(weight)) fail(`two layers could have the weight ${layer.id}/${weightName}.`);
      if (weight) taken.add(weight);
      return weight;
    },
  };
}
