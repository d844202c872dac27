import { ModelError } from './errors.js';
import { namedWeights } from './layers/registry.js';
import type { Layer, Network, Weights, WeightTensor } from './network.js';

export interface Model {
  readonly network: Network;
  readonly weights: Weights;
}

export const NO_PADDING = { top: 0, left: 0, bottom: 0, right: 0 } as const;

/** The names of the weights that a layer uses. */
export const layerWeights = (layer: Layer): string[] => namedWeights(layer).map(({ name }) => name);

/** The names of `name` and of every layer that it depends on. */
export function ancestors(layers: readonly Layer[], name: string): Set<string> {
  const found = new Set([name]);
  for (let index = layers.length - 1; index >= 0; index--) {
    const layer = layers[index] as Layer;
    if (found.has(layer.name)) for (const input of layer.inputs) found.add(input);
  }
  return found;
}

/** Layers by the name of a layer that they read. */
export function readers(layers: readonly Layer[]): Map<string, Layer[]> {
  const map = new Map<string, Layer[]>(layers.map((layer) => [layer.name, []]));
  for (const layer of layers) for (const input of new Set(layer.inputs)) map.get(input)?.push(layer);
  return map;
}

/** `wanted` itself where it is free, else `wanted_1`, `wanted_2` ... */
export function uniqueName(wanted: string, isTaken: (name: string) => boolean): string {
  if (!isTaken(wanted)) return wanted;
  let number = 1;
  while (isTaken(`${wanted}_${number}`)) number++;
  return `${wanted}_${number}`;
}

/** The weights that `layers` use, in layer order. */
export function keepWeights(layers: readonly Layer[], weights: Weights): Map<string, WeightTensor> {
  const kept = new Map<string, WeightTensor>();
  for (const name of layers.flatMap(layerWeights)) {
    const weight = weights.get(name);
    if (weight) kept.set(name, weight);
  }
  return kept;
}

/** Levenshtein's edit distance, case-insensitive. */
function editDistance(left: string, right: string): number {
  const a = left.toLowerCase();
  const b = right.toLowerCase();
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** UNKNOWN_LAYER for names that a network does not have, with the nearest names that it has. */
export function unknownLayers(network: Network, names: readonly string[]): ModelError {
  const lines = names.map((name) => {
    const near = network.layers
      .map((layer) => ({ name: layer.name, distance: editDistance(name.slice(0, 200), layer.name.slice(0, 200)) }))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, 3)
      .map((candidate) => candidate.name);
    return `${name} (nearest: ${near.join(', ')})`;
  });
  return new ModelError(
    'UNKNOWN_LAYER',
    `The network ${network.architecture} has no layer ${lines.join('; no layer ')}.`,
  );
}
