import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Network, WeightTensor } from '../../../src/models/network.js';
import { weightSpecs } from '../../../src/models/shapes.js';

/** What `makeFacts.py` wrote of one of torchvision's networks. */
export interface Facts {
  readonly tensors: number;
  readonly parameters: number;
  readonly sha256: string;
  readonly side: number;
  readonly batch: number;
  /** What `makeFacts.py` multiplies the weights of batch norms by; 1 without. */
  readonly gain?: number;
  readonly logits: readonly number[];
  readonly auxiliary?: Readonly<Record<string, readonly number[]>>;
}

export const FACTS = JSON.parse(readFileSync('test/models/torchvision/facts.json', 'utf8')).networks as Readonly<
  Record<string, Facts>
>;

/** Options of the small networks whose logits stand there, besides the side. */
export const SMALL = { classes: 10, hiddenUnits: 48 } as const;

/** The hash of names and shapes that `makeFacts.py` makes, of a network of ours. */
export function namesHash(network: Network): string {
  const lines = weightSpecs(network).map(({ name, shape }) => `${name} ${shape.join(',')}`);
  // By code units, as Python sorts names in ASCII.
  lines.sort((a, b) => (a < b ? -1 : 1));
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

const product = (shape: readonly number[]): number => shape.reduce((result, size) => result * size, 1);

/** `number` of `makeFacts.py`, passed through `map`. */
function numbers(name: string, shape: readonly number[], map: (u: number) => number): Float32Array {
  let seed = 2166136261;
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 16777619) >>> 0;
  const result = new Float32Array(product(shape));
  for (let index = 0; index < result.length; index++) {
    let h = (index + seed) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    result[index] = map(((h ^ (h >>> 16)) >>> 0) / 2 ** 32);
  }
  return result;
}

function weight(name: string, shape: readonly number[], gain: number): Float32Array {
  if (shape.length > 1) {
    const bound = Math.sqrt(6 / product(shape.slice(1)));
    return numbers(name, shape, (u) => (2 * u - 1) * bound);
  }
  if (name.endsWith('running_var')) return numbers(name, shape, (u) => 0.5 + u);
  if (name.endsWith('weight')) return numbers(name, shape, (u) => gain * (0.5 + 0.5 * u));
  return numbers(name, shape, (u) => 0.1 * (2 * u - 1));
}

/** The weights that the small networks of `makeFacts.py` have. */
export const reproducibleWeights = (network: Network, gain = 1): Map<string, WeightTensor> =>
  new Map(
    weightSpecs(network).map(({ name, shape }) => [name, { shape: [...shape], data: weight(name, shape, gain) }]),
  );

/** The batch that they were given. */
export const reproducibleInput = (shape: readonly number[]): Float32Array => numbers('input', shape, (u) => 2 * u - 1);
