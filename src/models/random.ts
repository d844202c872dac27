const MASK_64 = 0xffff_ffff_ffff_ffffn;

/** FNV-1a, 64 bits, over UTF-16 code units (Fowler, Noll and Vo; RFC 9923): turns a stream's name into a number. */
function hashName(name: string): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (let index = 0; index < name.length; index++) {
    hash = ((hash ^ BigInt(name.charCodeAt(index))) * 0x100_0000_01b3n) & MASK_64;
  }
  return hash;
}

const rotateLeft = (x: number, bits: number): number => ((x << bits) | (x >>> (32 - bits))) >>> 0;

/**
 * xoshiro128** 1.1 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021), its state filled by
 * SplitMix64 as its authors advise. The same seed and stream give the same numbers on every machine. Each tensor draws from
 * its own stream, so that its values do not depend on which tensors were filled before.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;
  private spare: number | null = null;

  constructor(seed: number, stream = '') {
    let state = (BigInt.asUintN(64, BigInt(Math.trunc(seed))) ^ (stream === '' ? 0n : hashName(stream))) & MASK_64;
    const next = (): bigint => {
      state = (state + 0x9e37_79b9_7f4a_7c15n) & MASK_64;
      let z = state;
      z = ((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & MASK_64;
      z = ((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn) & MASK_64;
      return z ^ (z >> 31n);
    };
    const low = next();
    const high = next();
    this.a = Number(low & 0xffff_ffffn);
    this.b = Number(low >> 32n);
    this.c = Number(high & 0xffff_ffffn);
    this.d = Number(high >> 32n);
  }

  /** A generator in a given state, which must not be all zero. */
  static fromState(a: number, b: number, c: number, d: number): Random {
    const random = new Random(0);
    [random.a, random.b, random.c, random.d] = [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
    return random;
  }

  /** Uniform integer in [0, 2^32). */
  uint32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.b, 5) >>> 0, 7), 9) >>> 0;
    const shifted = (this.b << 9) >>> 0;
    this.c = (this.c ^ this.a) >>> 0;
    this.d = (this.d ^ this.b) >>> 0;
    this.b = (this.b ^ this.c) >>> 0;
    this.a = (this.a ^ this.d) >>> 0;
    this.c = (this.c ^ shifted) >>> 0;
    this.d = rotateLeft(this.d, 11);
    return result;
  }

  /** Uniform in [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }

  /** Standard normal, by the Box-Muller transform. */
  normal(): number {
    if (this.spare !== null) {
      const value = this.spare;
      this.spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}
