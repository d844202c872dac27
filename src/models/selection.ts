import { ModelError } from './errors.js';
import { ancestors, unknownLayers } from './graph.js';
import type { Network } from './network.js';

/** Which layers of a network an edit touches. */
export type LayerSelector =
  | { readonly names: readonly string[] }
  /** The layer named and everything that it depends on. */
  | { readonly upTo: string }
  /** `*` matches any characters of a name, `?` exactly one. */
  | { readonly pattern: string }
  | { readonly all: true };

/** Glob matching in linear time per star (no regular expression, so that no pattern can take exponential time). */
export function matchesPattern(name: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let index = 0;
  while (index < name.length) {
    if (pattern[at] === '*') {
      star = at++;
      resume = index;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[index])) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** The names that a selector means. UNKNOWN_LAYER for names and patterns that match nothing; INVALID_ARGUMENT if empty. */
export function selectLayers(network: Network, selector: LayerSelector): Set<string> {
  const existing = network.layers.map((layer) => layer.name);
  if ('all' in selector) return new Set(existing);
  if ('upTo' in selector) {
    if (!existing.includes(selector.upTo)) throw unknownLayers(network, [selector.upTo]);
    return ancestors(network.layers, selector.upTo);
  }
  if ('pattern' in selector) {
    const matched = existing.filter((name) => matchesPattern(name, selector.pattern));
    if (matched.length > 0) return new Set(matched);
    const message = `No layer of ${network.architecture} matches the pattern ${selector.pattern}`;
    throw new ModelError('UNKNOWN_LAYER', `${message}; its layers are, for example, ${existing.slice(-5).join(', ')}.`);
  }
  if (selector.names.length === 0) {
    throw new ModelError('INVALID_ARGUMENT', 'The selection names no layer; give at least one name.');
  }
  const known = new Set(existing);
  const unknown = selector.names.filter((name) => !known.has(name));
  if (unknown.length > 0) throw unknownLayers(network, unknown);
  return new Set(selector.names);
}
