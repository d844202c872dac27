import type { Layer } from '../models/network.js';

/** Layers that do their work inside the kernel of the layer before them: no segment begins with one. */
const FUSED: ReadonlySet<Layer['kind']> = new Set([
  'batchNorm',
  'activation',
  'add',
  'dropout',
  'stochasticDepth',
  'channelShuffle',
]);

/**
 * Cuts layers (in topological order) where only one value of theirs goes on, so that a segment can be computed again from the
 * one value that it begins with. `keep` are values that are read at the end: where one is made from a value that goes on besides,
 * as an auxiliary head's is, what makes it is a segment of its own.
 */
export function cutAtBottlenecks(layers: readonly Layer[], keep: ReadonlySet<string>): Layer[][] {
  const lastUse = new Map<string, number>();
  layers.forEach(({ name, inputs }, index) => {
    lastUse.set(name, index);
    for (const input of inputs) lastUse.set(input, index);
  });
  for (const name of keep) lastUse.set(name, Number.POSITIVE_INFINITY);
  const segments: Layer[][] = [];
  const live = new Set<string>();
  const made = new Set<string>();
  let segment: Layer[] = [];
  layers.forEach((layer, index) => {
    segment.push(layer);
    live.add(layer.name);
    for (const name of live) if ((lastUse.get(name) as number) <= index) live.delete(name);
    const next = layers[index + 1];
    // The one value of the segment that goes on has to be this layer's, and only kept ones may pass by.
    const isOutput = live.has(layer.name) && [...live].every((name) => name === layer.name || made.has(name));
    const isAlone = keep.has(layer.name) || [...live].every((name) => name === layer.name || keep.has(name));
    if (next && isOutput && isAlone && !FUSED.has(next.kind)) {
      segments.push(segment);
      segment = [];
      made.add(layer.name);
    }
  });
  if (segment.length > 0) segments.push(segment);
  return segments;
}

/**
 * Joins segments so that what a backward pass holds at a time is least: the values at the cuts, and those inside the segment that
 * is computed again. `bytes` tells what a layer's value takes. Segments that end in a value of `keep` are joined with none before or
 * behind them. Chen et al. 2016 ("Training deep nets with sublinear memory cost", section 4.3) search the same way: one pass for
 * each bound of what a segment may hold.
 */
export function joinSegments(
  segments: readonly Layer[][],
  bytes: (layer: Layer) => number,
  keep: ReadonlySet<string> = new Set(),
): Layer[][] {
  const last = segments.at(-1);
  const standsAlone = (segment: Layer[]) => segment !== last && keep.has((segment.at(-1) as Layer).name);
  const sizes = segments.map((segment) => segment.reduce((sum, layer) => sum + bytes(layer), 0));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let best: Layer[][] = [...segments];
  let least = Number.POSITIVE_INFINITY;
  const largest = Math.max(...sizes);
  for (let bound = largest; bound < 2 * total; bound *= 1.25) {
    const joined: Layer[][] = [];
    let held = 0;
    let inside = 0;
    let size = Number.POSITIVE_INFINITY;
    segments.forEach((segment, index) => {
      const own = sizes[index] as number;
      const before = segments[index - 1];
      if (size + own > bound || standsAlone(segment) || (before && standsAlone(before))) {
        joined.push([]);
        size = 0;
      }
      size += own;
      inside = Math.max(inside, size);
      joined.at(-1)?.push(...segment);
    });
    for (const segment of joined) held += bytes(segment.at(-1) as Layer);
    if (held + inside < least) {
      least = held + inside;
      best = joined;
    }
  }
  return best;
}
