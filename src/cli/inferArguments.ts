import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ModelError } from '../models/errors.js';
import { UsageError } from './usage.js';

export interface InferArguments {
  readonly model: string;
  /** `[NAME=]PATH` each. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Side of pictures where the file leaves it open. */
  readonly size: number | null;
}

/** `--NAME=VALUE`, or `--NAME` with the value behind it. */
const FLAG = /^--(input|output|size)(?:=(.*))?$/s;

/** A side in pixels. */
export function parseSize(value: string): number {
  if (/^[1-9]\d{0,4}$/.test(value)) return Number(value);
  throw new UsageError(`--size takes a number of pixels; got ${JSON.stringify(value)}.`);
}

/** Reads what comes behind `infer`: after --input and --output any number of paths may follow. */
export function parseInfer(args: readonly string[]): InferArguments {
  let model: string | null = null;
  let size: number | null = null;
  const lists = { input: [] as string[], output: [] as string[] };
  let current: string[] | null = null;
  const rest = [...args];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const flag = FLAG.exec(argument);
    if (flag) {
      const value = flag[2] ?? (rest[0]?.startsWith('--') ? undefined : rest.shift());
      if (value === undefined) throw new UsageError(`--${flag[1]} takes a value.`);
      if (flag[1] === 'size') size = parseSize(value);
      current = flag[1] === 'size' ? null : lists[flag[1] as keyof typeof lists];
      current?.push(value);
    } else if (argument.startsWith('--')) {
      throw new UsageError(`infer takes no ${argument}.`);
    } else if (current) current.push(argument);
    else if (model === null) model = argument;
    else throw new UsageError(`infer takes one model; got ${model} and ${argument}.`);
  }
  if (model === null) throw new UsageError('infer takes a model: graft infer MODEL --input x.npy --output y.npy.');
  return { model, inputs: lists.input, outputs: lists.output, size };
}

export interface Assigned {
  /** As on the command line. */
  readonly spec: string;
  readonly path: string;
}

/** A path may hold `=` itself: one that exists, or a new file in a folder that does. */
const isPath = (text: string): boolean =>
  !text.includes('=') || existsSync(text) || (!basename(text).includes('=') && existsSync(dirname(text)));

/**
 * What is given by name: `NAME=PATH`, where NAME is one that the model has, or PATH alone for the next that is not named. Throws
 * INVALID_ARGUMENT for a name that the model does not have, and for more than there are.
 */
export function assign(
  specs: readonly string[],
  names: readonly string[],
  what: 'input' | 'output',
): ReadonlyMap<string, Assigned> {
  const found = new Map<string, Assigned>();
  const unnamed: string[] = [];
  const all = names.length > 0 ? names.join(', ') : 'none';
  for (const spec of specs) {
    const fitting = names.filter((name) => spec.startsWith(`${name}=`));
    const name = fitting.toSorted((a, b) => b.length - a.length)[0];
    if (name === undefined) {
      if (!isPath(spec)) {
        const wrong = spec.slice(0, spec.indexOf('='));
        throw new ModelError('INVALID_ARGUMENT', `There is no ${what} ${wrong}; the model has: ${all}.`);
      }
      unnamed.push(spec);
    } else if (found.has(name)) throw new ModelError('INVALID_ARGUMENT', `The ${what} ${name} is given twice.`);
    else found.set(name, { spec, path: spec.slice(name.length + 1) });
  }
  const free = names.filter((name) => !found.has(name));
  if (unnamed.length > free.length) {
    const extra = unnamed[free.length] as string;
    throw new ModelError('INVALID_ARGUMENT', `There is no ${what} for ${extra}; the model's ${what}s: ${all}.`);
  }
  unnamed.forEach((spec, index) => found.set(free[index] as string, { spec, path: spec }));
  return found;
}
