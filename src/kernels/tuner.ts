import type { Engine } from './engine.js';
import { PlanBuilder } from './planBuilder.js';
import type { Contract } from './variants.js';

export interface TunerOptions {
  /** Longest time that one call of `tune` may take; the contracts that are left keep their defaults, until a later call. */
  readonly budgetMs: number;
  /** Called after each call of `tune` that has chosen something, with all choices there are. */
  readonly onChoices?: (choices: readonly (readonly [key: string, name: string])[]) => void | Promise<void>;
  /** Milliseconds, from any origin. */
  readonly now?: () => number;
}

/** A sample lasts about this long: far more than a submission costs, and than a timer's step. */
const SAMPLE_MS = 3;
const MOST_REPETITIONS = 64;
const ROUNDS = 3;
/** What another variant has to gain over the default; less may be chance. */
const LEAST_GAIN = 0.05;

/** Measures the variants of contracts on the device and keeps the fastest of each. */
export class Tuner {
  private spentMs = 0;
  private measured = 0;

  constructor(
    private readonly engine: Engine,
    private readonly options: TunerOptions,
  ) {}

  /** Time spent and contracts measured since the tuner was made. */
  get totals(): { readonly milliseconds: number; readonly contracts: number } {
    return { milliseconds: this.spentMs, contracts: this.measured };
  }

  /** Chooses for those contracts that are not chosen for yet. True where at least one choice is not the default. */
  async tune(contracts: readonly Contract[]): Promise<boolean> {
    const { variants } = this.engine;
    const now = this.options.now ?? (() => performance.now());
    const started = now();
    const isOver = () => now() - started >= this.options.budgetMs;
    const before = this.measured;
    let changed = false;
    for (const contract of contracts) {
      if (isOver()) break;
      if (variants.isKnown(contract.key)) continue;
      const name = await this.fastest(contract, isOver);
      if (name === null) break;
      this.measured++;
      variants.set(contract.key, name);
      changed ||= name !== contract.variants[0]?.name;
    }
    this.spentMs += now() - started;
    if (this.measured > before) await this.options.onChoices?.(variants.entries());
    return changed;
  }

  /** Null where the time is over before all variants are measured. */
  private async fastest(contract: Contract, isOver: () => boolean): Promise<string | null> {
    const candidates = [];
    try {
      for (const variant of contract.variants) {
        if (isOver()) return null;
        const b = new PlanBuilder(this.engine);
        contract.build(b, variant);
        const plan = await b.compile();
        candidates.push({ name: variant.name, plan, best: Number.POSITIVE_INFINITY, repetitions: 1 });
        plan.fillInputs();
        // The first run may make machine code.
        await plan.time(1);
      }
      for (const candidate of candidates) {
        const once = await candidate.plan.time(1);
        candidate.best = once;
        candidate.repetitions = Math.max(1, Math.min(MOST_REPETITIONS, Math.ceil(SAMPLE_MS / once)));
      }
      // In turns, so that a device that slows down slows all of them.
      for (let round = 0; round < ROUNDS; round++) {
        for (const candidate of candidates) {
          candidate.best = Math.min(candidate.best, await candidate.plan.time(candidate.repetitions));
        }
      }
    } finally {
      for (const { plan } of candidates) plan.dispose();
    }
    const [first, ...others] = candidates;
    if (!first) return null;
    const best = others.reduce((least, candidate) => (candidate.best < least.best ? candidate : least), first);
    return best.best < (1 - LEAST_GAIN) * first.best ? best.name : first.name;
  }
}

/** What `build` puts onto plans, with the kernels that are fastest here: measured first where the engine has a tuner. */
export async function tuned<T>(engine: Engine, build: () => T): Promise<T> {
  if (!engine.tuner) return build();
  const results: T[] = [];
  const contracts = engine.variants.record(() => results.push(build()));
  return (await engine.tuner.tune(contracts)) ? build() : (results[0] as T);
}
