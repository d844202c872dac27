/** Layers of one kind that became layers or operators of another, on the way in or out. */
export interface Mapping {
  /** Operator, class or kind in the source. */
  readonly from: string;
  /** The same in the target; several, in their order, with ` + ` between them. */
  readonly to: string;
  readonly count: number;
}

/** What a conversion did between a file and a network: part of a receipt. */
export interface Conversion {
  /** As people write it, e.g. `ONNX`. */
  readonly format: string;
  /** Of the format, as the file says it; null where it has none. */
  readonly version: string | null;
  readonly mapped: readonly Mapping[];
  /** What was computed or merged once and for all, as sentences without a full stop. */
  readonly folded: readonly string[];
  /** Names of what has no place in the target, with the reason. */
  readonly ignored: readonly string[];
}

/** Counts mappings; they come out in the order in which they were first seen. */
export class MappingCounter {
  private readonly counts = new Map<string, { from: string; to: string; count: number }>();

  add(from: string, to: string): void {
    const key = JSON.stringify([from, to]);
    const entry = this.counts.get(key);
    if (entry) entry.count++;
    else this.counts.set(key, { from, to, count: 1 });
  }

  list(): Mapping[] {
    return [...this.counts.values()];
  }
}
