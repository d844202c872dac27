import type { RunState } from '../store/schema.js';
import type { ProgressEvent } from '../training/types.js';

/** Hears what becomes of runs on this server, once it is committed: for metrics. Must not throw. */
export interface RunObserver {
  /** A run came to a state; `secondsWaited` where it began to compute, `secondsRun` where it is over. */
  stateChanged(state: RunState, times: { readonly secondsWaited?: number; readonly secondsRun?: number }): void;
  progress(event: ProgressEvent): void;
}

export const NO_OBSERVER: RunObserver = { stateChanged: () => undefined, progress: () => undefined };
