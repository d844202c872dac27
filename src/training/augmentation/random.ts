/** Random numbers in [0, 1) with 53 bits, one after the other. */
export type RandomStream = () => number;

/**
 * The stream of one decision about one picture in one epoch. It depends on nothing else: not on the batch, the order or what was
 * drawn before, so that a resumed run draws what the uninterrupted one drew. Number k is PCG-3D (Jarzynski and Olano 2020, Hash
 * Functions for GPU Rendering) of the key and k.
 */
export function randomStream(seed: number, epoch: number, picture: string, decision: number): RandomStream {
  const [a, b, c] = pcg3d(seed, epoch, fnv1a(picture));
  const key = pcg3d(a, b, c ^ decision);
  let count = 0;
  return () => {
    const [high, low] = pcg3d(key[0], key[1], key[2] ^ count++);
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  };
}

function pcg3d(a: number, b: number, c: number): readonly [number, number, number] {
  let x = (Math.imul(a, 1664525) + 1013904223) | 0;
  let y = (Math.imul(b, 1664525) + 1013904223) | 0;
  let z = (Math.imul(c, 1664525) + 1013904223) | 0;
  const round = () => {
    x = (x + Math.imul(y, z)) | 0;
    y = (y + Math.imul(z, x)) | 0;
    z = (z + Math.imul(x, y)) | 0;
  };
  round();
  x ^= x >>> 16;
  y ^= y >>> 16;
  z ^= z >>> 16;
  round();
  return [x >>> 0, y >>> 0, z >>> 0];
}

/** The 32-bit hash of Fowler, Noll and Vo (FNV-1a). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export const uniform = (random: RandomStream, min: number, max: number): number => min + (max - min) * random();

/** 0 to count - 1. */
export const randomInteger = (random: RandomStream, count: number): number => Math.floor(random() * count);

/** Box and Muller 1958. */
function normal(random: RandomStream): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

/**
 * The logarithm of a Gamma(shape, 1) number: Marsaglia and Tsang 2000 (A simple method for generating gamma variables) for
 * shapes from 1; below, section 6 there: Gamma(shape + 1) U^(1 / shape), whose logarithm does not underflow.
 */
function logGamma(random: RandomStream, shape: number): number {
  if (shape < 1) return logGamma(random, shape + 1) + Math.log(1 - random()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d) + Math.log(v);
  }
}

/** A Beta(a, b) number, as X / (X + Y) of Gamma(a) and Gamma(b). */
export function beta(random: RandomStream, a: number, b: number): number {
  const x = logGamma(random, a);
  const y = logGamma(random, b);
  return 1 / (1 + Math.exp(y - x));
}
