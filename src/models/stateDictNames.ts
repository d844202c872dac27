import type { Weights, WeightTensor } from './network.js';

/** Other names of weights that some published files have, each rule a pattern and what stands for it. */
type Renaming = readonly (readonly [pattern: RegExp, replacement: string])[];

/** DenseNets that torchvision published before PyTorch 0.4 have a dot inside the names of a dense layer's parts. */
const OLD_DENSENET: Renaming = [[/^(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$/, '$1$2']];

const RENAMINGS: readonly Renaming[] = [OLD_DENSENET];

function rename(weights: Weights, rules: Renaming): Weights {
  const renamed = new Map<string, WeightTensor>();
  for (const [name, tensor] of weights) {
    const rule = rules.find(([pattern]) => pattern.test(name));
    renamed.set(rule ? name.replace(rule[0], rule[1]) : name, tensor);
  }
  // Two names that become one are no such file.
  return renamed.size === weights.size ? renamed : weights;
}

/** The weights under each set of names that may be meant, the file's own first. */
export function possibleNames(weights: Weights): Weights[] {
  const others = RENAMINGS.map((rules) => rename(weights, rules));
  return [weights, ...others.filter((other) => [...other.keys()].some((name) => !weights.has(name)))];
}
