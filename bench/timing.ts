import { median } from './statistics.js';

export interface Timing {
  readonly ms: number;
  readonly best: number;
  readonly samples: number;
}

export interface TimingOptions {
  /** Time that samples are taken for, in milliseconds. */
  readonly budget: number;
  readonly leastSamples: number;
  readonly mostSamples: number;
  /** Work that ends on the device is submitted until a sample takes this long, in milliseconds: longer than the clock's grain. */
  readonly sampleLength: number;
}

export const DEFAULT_TIMING: TimingOptions = { budget: 1000, leastSamples: 3, mostSamples: 25, sampleLength: 40 };

const MOST_SUBMISSIONS = 200;
/** After this many budgets what there is of samples is enough. */
const SLOW = 10;

/**
 * Times `run`, warm: it runs before the clock starts, and `idle` waits for the device before the clock stops. Where `run`
 * returns promises they are awaited one by one; otherwise a sample is many submissions, and its time is shared out.
 */
export async function time(
  run: () => Promise<unknown> | void,
  idle: () => Promise<void>,
  options: TimingOptions = DEFAULT_TIMING,
): Promise<Timing> {
  const sample = async (submissions: number): Promise<number> => {
    const started = performance.now();
    for (let i = 0; i < submissions; i++) await run();
    await idle();
    return (performance.now() - started) / submissions;
  };
  const first = run();
  const awaits = first instanceof Promise;
  await first;
  await idle();
  const warm = await sample(1);
  const wanted = Math.round(options.sampleLength / Math.max(warm, 1e-3));
  const submissions = awaits ? 1 : Math.min(MOST_SUBMISSIONS, Math.max(1, wanted));
  const times = submissions === 1 ? [warm] : [];
  const begun = performance.now();
  const spent = () => performance.now() - begun + (times[0] ?? 0);
  const isEnough = () =>
    times.length >= options.mostSamples ||
    (spent() >= options.budget && times.length >= options.leastSamples) ||
    (spent() >= SLOW * options.budget && times.length > 0);
  while (!isEnough()) times.push(await sample(submissions));
  return { ms: median(times), best: Math.min(...times), samples: times.length };
}
