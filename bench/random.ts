import { Random } from '../src/models/random.js';

/** Random float32 in [-1, 1), the same for the same seed and stream, so that another process makes the same data. */
export function randomValues(count: number, seed: number, stream: string): Float32Array<ArrayBuffer> {
  const random = new Random(seed, stream);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = random.uint32() / 2 ** 31 - 1;
  return values;
}

export function randomBytes(count: number, seed: number, stream: string): Uint8Array<ArrayBuffer> {
  const random = new Random(seed, stream);
  const words = new Uint32Array(Math.ceil(count / 4));
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
  return new Uint8Array(words.buffer, 0, count);
}

/** Whole numbers below `limit`. */
export function randomIndices(count: number, limit: number, seed: number, stream: string): Uint32Array<ArrayBuffer> {
  const random = new Random(seed, stream);
  return Uint32Array.from({ length: count }, () => Math.floor(random.uniform() * limit));
}
