import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const HELP = `Transfer-learns MobileNet-v2 through Graft's GraphQL API, and compares with random weights.

Usage: npm run demo [-- OPTIONS]

Options
  --data DIR       Your own pictures: a folder for each class (DIR/cats/1.jpg, DIR/dogs/2.jpg),
                   with or without train, val and test folders above them.
                   Default: emoji of four designers, drawn on the spot.
  --json           Prints one JSON object with the results as the last line.
  --help, -h       Prints this.

The trained network goes to ./graft-demo/. Everything else is temporary and removed at the end.
`;

export interface DemoArguments {
  /** Absolute path of the user's pictures; null: the sample data. */
  readonly data: string | null;
  readonly json: boolean;
  readonly help: boolean;
}

/** The command line was not understood; the message says why. */
export class UsageError extends Error {}

/** Reads the arguments. A relative folder is taken from `folder`, where the person typed it. Throws UsageError. */
export function parseArguments(args: readonly string[], folder: string): DemoArguments {
  const { data, ...flags } = parse(args);
  if (data === undefined || flags.help) return { data: null, ...flags };
  const path = resolve(folder, data);
  if (!data || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(
      `--data ${JSON.stringify(data)}: ${path} is not a folder. Give one with a folder for each class.`,
    );
  }
  return { data: path, ...flags };
}

function parse(args: readonly string[]) {
  try {
    const options = {
      data: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
