/** Far above what any published network needs, and low enough that a hostile file cannot exhaust the machine. */
export const LIMITS = {
  layers: 10_000,
  inputs: 1_024,
  nameLength: 1_024,
  rank: 8,
  side: 1 << 16,
  channels: 1 << 22,
  elementsPerTensor: 2 ** 29,
  classes: 1 << 22,
} as const;
