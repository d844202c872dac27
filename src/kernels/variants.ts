import type { PlanBuilder } from './planBuilder.js';

/** One way to compute a contract. Names stay the same from version to version: choices are stored by them. */
export interface Variant {
  readonly name: string;
}

/** Something that several kernels compute: all give the same values, up to the order of additions. */
export interface Contract<V extends Variant = Variant> {
  /** Whatever the time may depend on: the kind of work, shapes, number types, kernel family. */
  readonly key: string;
  /** All that apply here. The first is the default, which has to be sound without any measurement. */
  readonly variants: readonly V[];
  /** Puts the contract, computed by one of its variants, onto an empty plan: on inputs of that plan, with the output `result`. */
  build(b: PlanBuilder, variant: V): void;
}

/** Which variant computes which contract on one device: the default of each, or what was measured to be faster. */
export class VariantChoices {
  private readonly chosen = new Map<string, string>();
  private recording: Map<string, Contract> | null = null;

  /** The variant to put onto a plan. */
  choose<V extends Variant>(contract: Contract<V>): V {
    if (contract.variants.length > 1) this.recording?.set(contract.key, contract as unknown as Contract);
    const name = this.chosen.get(contract.key);
    return contract.variants.find((variant) => variant.name === name) ?? (contract.variants[0] as V);
  }

  isKnown(key: string): boolean {
    return this.chosen.has(key);
  }

  set(key: string, name: string): void {
    this.chosen.set(key, name);
  }

  /** The contracts with a choice that `build` puts onto plans. */
  record(build: () => void): Contract[] {
    const recording = new Map<string, Contract>();
    const outer = this.recording;
    this.recording = recording;
    try {
      build();
    } finally {
      this.recording = outer;
    }
    return [...recording.values()];
  }

  /** Everything that was chosen, by key. */
  entries(): [key: string, name: string][] {
    return [...this.chosen];
  }
}
