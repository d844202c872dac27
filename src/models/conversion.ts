import type { Preprocessing } from './network.js';

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

/** Names that are listed before only their number is said. */
const LISTED = 100;

/** Collects what an import does; importers that are given none collect nothing. */
export class ImportReport {
  private readonly mappings = new MappingCounter();
  private readonly withoutLayer = new Map<string, number>();
  private readonly foldings: string[] = [];
  private readonly ignoredNames: string[] = [];
  private dropped = 0;
  /** Of the format, as the file says it. */
  version: string | null = null;
  /** What the file itself says of the preprocessing. */
  preprocessing: Partial<Preprocessing> = {};

  /** An operator or layer of the file became layers of these kinds; none where it was computed or merged into others. */
  converted(from: string, kinds: readonly string[]): void {
    if (kinds.length > 0) this.mappings.add(from, kinds.join(' + '));
    else this.withoutLayer.set(from, (this.withoutLayer.get(from) ?? 0) + 1);
  }

  folded(what: string): void {
    this.foldings.push(what);
  }

  ignored(name: string, reason: string): void {
    if (this.ignoredNames.length < LISTED) this.ignoredNames.push(`${name}: ${reason}`);
    else this.dropped++;
  }

  conversion(format: string): Conversion {
    const merged = [...this.withoutLayer].map(
      ([from, count]) => `${count} ${from}: computed once, or part of the layer before or behind`,
    );
    const more = this.dropped > 0 ? [`and ${this.dropped} more`] : [];
    return {
      format,
      version: this.version,
      mapped: this.mappings.list(),
      folded: [...merged, ...this.foldings],
      ignored: [...this.ignoredNames, ...more],
    };
  }
}
