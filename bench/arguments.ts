import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** The last line of stdout is one JSON object. */
  readonly json: boolean;
  /** Parts of names: a workload runs where its name has one of them. Empty: all run. */
  readonly only: readonly string[];
  /** Other engines run the same workloads. */
  readonly peers: boolean;
  /** Of all random data. */
  readonly seed: number;
  /** Only print the names. */
  readonly list: boolean;
}

export const USAGE = `npm run bench [-- --json] [--only NAME]... [--peers] [--seed N] [--list]

  --json       print one JSON object as the last line
  --only NAME  run the workloads with NAME in their name; may be given again
  --peers      run the same workloads with other engines too and print the ratios of the times
  --seed N     take the random data from seed N (default: a new seed, which is printed)
  --list       print the names of the workloads`;

/** An argument that the person at the terminal can put right. */
export class UsageError extends Error {}

export function parseArguments(args: readonly string[]): BenchOptions {
  const parsed = read(args);
  const seed = parsed.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(parsed.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new UsageError(`--seed ${parsed.seed}: a seed is a whole number from 0.\n\n${USAGE}`);
  }
  const { json = false, only = [], peers = false, list = false } = parsed;
  return { json, only, peers, seed, list };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        only: { type: 'string', multiple: true },
        peers: { type: 'boolean' },
        seed: { type: 'string' },
        list: { type: 'boolean' },
      },
    }).values;
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message}\n\n${USAGE}`, { cause });
  }
}

/** The items whose name has one of `parts` in it. Throws `UsageError` for a part that fits none. */
export function selectByName<T extends { readonly name: string }>(items: readonly T[], parts: readonly string[]): T[] {
  for (const part of parts) {
    if (items.some(({ name }) => name.includes(part))) continue;
    throw new UsageError(
      `No workload has ${part} in its name. There are:\n  ${items.map(({ name }) => name).join('\n  ')}`,
    );
  }
  return items.filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)));
}
