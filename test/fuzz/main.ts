import { type ChildProcess, fork } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Cases } from './cases.js';
import type { Report } from './child.js';

/**
 * Changes good files of every format at random and imports them: each has to give a valid network or a ModelError, in bounded
 * time and memory. Cases are numbered, and case n of a seed is always the same.
 */

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    format: { type: 'string' },
    case: { type: 'string' },
    out: { type: 'string', default: 'graft-fuzz' },
    help: { type: 'boolean', default: false },
  },
});

const USAGE = `npm run fuzz -- [options]
  --seconds N   how long (60)
  --seed N      the cases' seed (a fresh one, printed)
  --format F    one format only
  --case N      writes the files of one case into --out and stops
  --out FOLDER  where the files of cases that went wrong are written (graft-fuzz)`;

/** A file of some kB that takes this long or this much is one that hangs a server. */
const MAX_SECONDS = 20;
const MAX_MIB = 1536;

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));

async function save(index: number): Promise<string> {
  const { format, files } = Cases.create(values.format ?? null).at(seed, index);
  const folder = join(values.out, `${format}-${seed}-${index}`);
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
  return folder;
}

interface Tally {
  cases: number;
  imported: number;
  peakMiB: number;
}

/** Runs one child until the time is over, and a new one where it hangs or dies. */
async function lane(
  first: number,
  step: number,
  until: number,
  tally: Tally,
  wrong: Map<number, string>,
): Promise<void> {
  let next = first;
  while (Date.now() < until) {
    const args = [String(seed), String(next), String(step), ...(values.format ? [values.format] : [])];
    const child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), args, {
      execArgv: ['--enable-source-maps', `--max-old-space-size=${MAX_MIB}`],
    });
    const ended = await watch(child, until, tally, wrong);
    if (ended === null) return;
    next = ended + step;
  }
}

/** The case in which the child died or was killed; null where the time is over. */
function watch(child: ChildProcess, until: number, tally: Tally, wrong: Map<number, string>): Promise<number | null> {
  return new Promise((resolve, reject) => {
    let current = -1;
    let timer = setTimeout(() => undefined, 0);
    let isOver = false;
    const arm = (milliseconds: number, action: () => void) => {
      clearTimeout(timer);
      timer = setTimeout(action, milliseconds);
    };
    const stop = () => {
      isOver = true;
      child.kill('SIGKILL');
    };
    child.on('message', (report: Report) => {
      switch (report.kind) {
        case 'ready':
          break;
        case 'begin':
          current = report.index;
          arm(MAX_SECONDS * 1000, () => {
            wrong.set(current, `takes more than ${MAX_SECONDS} s`);
            child.kill('SIGKILL');
          });
          break;
        case 'end':
          clearTimeout(timer);
          tally.cases++;
          if (report.imported) tally.imported++;
          tally.peakMiB = Math.max(tally.peakMiB, report.peakMiB);
          if (report.peakMiB > MAX_MIB) {
            wrong.set(current, `takes ${Math.round(report.peakMiB)} MiB`);
            child.kill('SIGKILL');
          }
          if (Date.now() >= until) stop();
          break;
        case 'wrong':
          wrong.set(report.index, report.what);
          break;
      }
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (isOver) resolve(null);
      else {
        if (current === -1 && !wrong.has(-1)) {
          reject(new Error(`The process that imports ended before its first case (${signal ?? code}).`));
          return;
        }
        if (!wrong.has(current)) wrong.set(current, `ends the process (${signal ?? code})`);
        resolve(current);
      }
    });
  });
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.case !== undefined) {
    console.log(`written to ${await save(Number(values.case))}`);
    return 0;
  }
  const { names } = Cases.create(values.format ?? null);
  console.log(`fuzz: seed ${seed}, ${values.seconds} s, formats ${names.join(', ')}`);
  const until = Date.now() + Number(values.seconds) * 1000;
  const tally: Tally = { cases: 0, imported: 0, peakMiB: 0 };
  const wrong = new Map<number, string>();
  const lanes = Math.max(1, Math.min(4, availableParallelism()));
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index, lanes, until, tally, wrong)));
  const { cases, imported, peakMiB } = tally;
  console.log(`fuzz: ${cases} cases, ${imported} still import, ${Math.round(peakMiB)} MiB at most`);
  for (const [index, what] of [...wrong].slice(0, 20)) {
    console.error(`\ncase ${index}: ${what}`);
    if (index >= 0) {
      console.error(`files in ${await save(index)}; npm run fuzz -- --seed ${seed} --case ${index} writes them again`);
    }
  }
  return wrong.size > 0 || cases === 0 ? 1 : 0;
}

process.exitCode = await main();
