import type { ProgressEvent } from '../training/types.js';

const MIN_INTERVAL_MS = 200;

/**
 * Which progress is worth storing: phases, epochs and the end of a count always; steps and counts five times a second at
 * most, also where an epoch lasts only milliseconds.
 */
export class ProgressThrottle {
  private last = Number.NEGATIVE_INFINITY;

  constructor(private readonly now: () => number = () => performance.now()) {}

  accepts(event: ProgressEvent): boolean {
    if (event.type === 'phase' || event.type === 'compiled' || event.type === 'epoch') return true;
    if (event.type === 'pictures' && event.done === event.total) return true;
    const now = this.now();
    if (now - this.last < MIN_INTERVAL_MS) return false;
    this.last = now;
    return true;
  }
}
