import type { Database, Queries } from '../store/database.js';
import { eventsAfter, hasEnded, runsById } from '../store/runs.js';
import type { RunEventRow } from '../store/schema.js';

/** A run that is watched is not there. */
export class UnknownRunError extends Error {
  constructor(readonly runId: string) {
    super(`There is no run ${runId}.`);
    this.name = 'UnknownRunError';
  }
}

const EVENTS_PER_READ = 500;
/** How often a waiting watcher looks at the store for events that another process wrote. */
const POLL_MS = 2000;

/** Wakes those who wait for a run's next event. Events themselves always come from the store: no gap, no buffer to overflow. */
export class RunEvents {
  private readonly watchers = new Map<string, Set<() => void>>();

  constructor(private readonly database: Database) {}

  /** Call it once an event is committed. */
  publish(runId: string): void {
    for (const wake of this.watchers.get(runId) ?? []) wake();
  }

  watcherCount(runId: string): number {
    return this.watchers.get(runId)?.size ?? 0;
  }

  /** See `Services.watchRun`. Ends when the run has ended, the caller returns, or `signal` is aborted. */
  async *watch(
    runId: string,
    afterSequence: number,
    signal: AbortSignal,
  ): AsyncGenerator<RunEventRow, void, undefined> {
    const bell = new Bell();
    const wake = () => bell.ring();
    this.add(runId, wake);
    signal.addEventListener('abort', wake, { once: true });
    let last = afterSequence;
    try {
      while (!signal.aborted) {
        // Asked before the events: a run that had ended by then has no event after those that are read now.
        const [run] = await this.read((queries) => runsById(queries, [runId]));
        if (!run) throw new UnknownRunError(runId);
        const events = await this.read((queries) => eventsAfter(queries, runId, last, EVENTS_PER_READ));
        for (const event of events) {
          last = event.sequence;
          yield event;
        }
        if (events.length === EVENTS_PER_READ) continue;
        if (hasEnded(run.state)) return;
        if (events.some(({ state }) => hasEnded(state))) return;
        await bell.wait(POLL_MS);
      }
    } finally {
      this.remove(runId, wake);
      signal.removeEventListener('abort', wake);
    }
  }

  private read<T>(query: (queries: Queries) => Promise<T>): Promise<T> {
    return this.database.background(() => query(this.database.queries));
  }

  private add(runId: string, wake: () => void): void {
    const own = this.watchers.get(runId) ?? new Set();
    own.add(wake);
    this.watchers.set(runId, own);
  }

  private remove(runId: string, wake: () => void): void {
    const own = this.watchers.get(runId);
    own?.delete(wake);
    if (own?.size === 0) this.watchers.delete(runId);
  }
}

/** Remembers one ring until somebody waits for it. */
export class Bell {
  private rung = false;
  private answer: (() => void) | null = null;

  ring(): void {
    this.rung = true;
    this.answer?.();
  }

  /** Resolves at the next ring, or now if there was one since the last wait, or after `maxMs`. */
  wait(maxMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.answer = null;
        this.rung = false;
        resolve();
      };
      const timer = setTimeout(done, maxMs);
      if (this.rung) done();
      else this.answer = done;
    });
  }
}
