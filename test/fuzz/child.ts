import { importModel } from '../../src/models/detect.js';
import { ModelError } from '../../src/models/errors.js';
import { validateNetwork } from '../../src/models/validate.js';
import { Cases } from './cases.js';

// A process of its own, started by main.ts: it may hang or run out of memory.

/** What the parent is told: before a case, after it, and when something is wrong with one. */
export type Report =
  | { readonly kind: 'ready'; readonly formats: readonly string[] }
  | { readonly kind: 'begin'; readonly index: number }
  | { readonly kind: 'end'; readonly index: number; readonly imported: boolean; readonly peakMiB: number }
  | { readonly kind: 'wrong'; readonly index: number; readonly what: string };

const [seed, first, step, format] = process.argv.slice(2) as [string, string, string, string | undefined];
const tell = (report: Report) => process.send?.(report);

const cases = Cases.create(format ?? null);
for (const { name, files } of cases.good) {
  try {
    importModel(files);
  } catch (error) {
    tell({ kind: 'wrong', index: -1, what: `the good file ${name} is refused: ${String(error)}` });
  }
}
tell({ kind: 'ready', formats: cases.names });
for (let index = Number(first); ; index += Number(step)) {
  const { files } = cases.at(Number(seed), index);
  tell({ kind: 'begin', index });
  let imported = false;
  try {
    const { network, weights } = importModel(files);
    validateNetwork(network, weights);
    imported = true;
  } catch (error) {
    if (!(error instanceof ModelError)) {
      tell({ kind: 'wrong', index, what: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
  tell({ kind: 'end', index, imported, peakMiB: process.resourceUsage().maxRSS / 1024 });
  // Lets the messages out.
  await new Promise((resolve) => setImmediate(resolve));
}
