/**
 * A permutation of 0..count-1 that depends on (seed, epoch) only: Fisher-Yates (Durstenfeld 1964) over splitmix32-style
 * counter hashing, so that epoch 7 of a resumed run is epoch 7 of the uninterrupted one.
 */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  const key = mix(mix(seed >>> 0) ^ (epoch >>> 0));
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor((mix(key + last) / 2 ** 32) * (last + 1));
    const value = order[last] as number;
    order[last] = order[other] as number;
    order[other] = value;
  }
  return order;
}

/** The finaliser of MurmurHash3 (Appleby 2011), a bijection of 32-bit integers, on top of a Weyl step. */
function mix(value: number): number {
  let h = (value + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
