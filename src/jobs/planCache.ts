import type { Engine } from '../kernels/engine.js';
import { EngineError } from '../kernels/errors.js';
import type { Network, Weights } from '../models/network.js';
import { InferencePlan } from '../training/inference.js';

/** Plans that stay compiled: a few networks that are asked in turn, at one or two batch sizes. */
const KEPT_PLANS = 4;

/**
 * Compiled plans of the networks that were used last, with their weights on the device. One user at a time: a plan is good
 * until the next call.
 */
export class PlanCache {
  /** The one used last is at the end. */
  private readonly plans = new Map<string, InferencePlan>();

  constructor(private readonly engine: Engine) {}

  /** `key` stands for the network and its weights. Where memory runs out, all other plans go and it is tried again. */
  async get(
    key: string,
    batchSize: number,
    load: () => Promise<{ network: Network; weights: Weights }>,
  ): Promise<InferencePlan> {
    const fullKey = `${batchSize} ${key}`;
    const kept = this.plans.get(fullKey);
    if (kept) {
      this.plans.delete(fullKey);
      this.plans.set(fullKey, kept);
      return kept;
    }
    const { network, weights } = await load();
    const compile = () =>
      InferencePlan.compile(this.engine, network, weights, { batchSize, layers: [], probabilities: true });
    const plan = await compile().catch((error: unknown) => {
      if (!(error instanceof EngineError) || error.code !== 'OUT_OF_MEMORY' || this.plans.size === 0) throw error;
      this.clear();
      return compile();
    });
    this.plans.set(fullKey, plan);
    const [oldest] = this.plans;
    if (oldest && this.plans.size > KEPT_PLANS) {
      this.plans.delete(oldest[0]);
      oldest[1].dispose();
    }
    return plan;
  }

  clear(): void {
    for (const plan of this.plans.values()) plan.dispose();
    this.plans.clear();
  }
}
