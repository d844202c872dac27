import { JobError } from './protocol.js';

interface Waiting {
  readonly begin: () => void;
  readonly reject: (error: JobError) => void;
}

/** Runs one task at a time, in order; at most `maxWaiting` others wait. */
export class Lane {
  private busy = false;
  private closed: JobError | null = null;
  private readonly waiting: Waiting[] = [];

  constructor(private readonly maxWaiting: number) {}

  /**
   * Throws what `task` throws; QUEUE_FULL; ABORTED where the signal ends the wait. A task that has begun is its own affair:
   * it must heed the signal itself.
   */
  async run<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    await this.turn(signal);
    try {
      return await task();
    } finally {
      this.busy = false;
      this.waiting.shift()?.begin();
    }
  }

  /** Everything that waits, and everything to come, fails with `error`. */
  close(error: JobError): void {
    this.closed = error;
    for (const waiting of this.waiting.splice(0)) waiting.reject(error);
  }

  private turn(signal: AbortSignal): Promise<void> {
    if (this.closed) return Promise.reject(this.closed);
    if (signal.aborted) return Promise.reject(abortedError());
    if (!this.busy) {
      this.busy = true;
      return Promise.resolve();
    }
    if (this.waiting.length >= this.maxWaiting) {
      const message = `${this.maxWaiting} evaluations and predictions are waiting already. Try again later.`;
      return Promise.reject(new JobError('QUEUE_FULL', message));
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const index = this.waiting.indexOf(entry);
        if (index >= 0) this.waiting.splice(index, 1);
        reject(abortedError());
      };
      const entry: Waiting = {
        begin: () => {
          signal.removeEventListener('abort', onAbort);
          this.busy = true;
          resolve();
        },
        reject: (error) => {
          signal.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.waiting.push(entry);
    });
  }
}

export const abortedError = () => new JobError('ABORTED', 'The job was cancelled before it began.');
