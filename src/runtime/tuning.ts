import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../kernels/engine.js';
import { Tuner } from '../kernels/tuner.js';

export interface TuningSettings {
  /** `auto` measures on GPUs and keeps to the defaults on software adapters, for which they were measured. */
  readonly mode: 'auto' | 'on' | 'off';
  /** Longest time for measuring before one run. */
  readonly budgetMs: number;
  /** Where choices are kept, a file for each adapter. */
  readonly folder: string;
}

const FORMAT = 1;
const MAX_CHOICES = 100_000;

type Choices = readonly (readonly [key: string, name: string])[];

/** Name of an adapter's file: another adapter, or another version of its driver, has choices of its own. */
function fileName({ adapter, kernelFamily }: Engine): string {
  const { vendor, architecture, device, description } = adapter;
  const name = [vendor, architecture, device, description, kernelFamily].join('\n');
  return `${createHash('sha256').update(name).digest('hex').slice(0, 16)}.json`;
}

/** Gives the engine the choices that earlier processes measured, and a tuner for the rest. Not called: the defaults. */
export async function attachTuner(engine: Engine, { mode, budgetMs, folder }: TuningSettings): Promise<void> {
  if (mode === 'off' || (mode === 'auto' && engine.adapter.isSoftware)) return;
  const path = join(folder, fileName(engine));
  for (const [key, name] of await readChoices(path)) engine.variants.set(key, name);
  engine.tuner = new Tuner(engine, {
    budgetMs,
    onChoices: (choices) => writeChoices(folder, path, engine.adapter.description, choices),
  });
}

/** Empty where the file is missing or not one of ours: a choice can always be measured again. */
async function readChoices(path: string): Promise<Choices> {
  try {
    const { format, choices } = JSON.parse(await readFile(path, 'utf8')) as { format: unknown; choices: unknown };
    if (format !== FORMAT || !Array.isArray(choices) || choices.length > MAX_CHOICES) return [];
    return choices.filter(
      (choice): choice is [string, string] =>
        Array.isArray(choice) && typeof choice[0] === 'string' && typeof choice[1] === 'string',
    );
  } catch {
    return [];
  }
}

async function writeChoices(folder: string, path: string, adapter: string, choices: Choices): Promise<void> {
  await mkdir(folder, { recursive: true });
  // Written whole or not at all, whoever else writes.
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${JSON.stringify({ format: FORMAT, adapter, choices }, null, 1)}\n`);
  await rename(draft, path);
}
