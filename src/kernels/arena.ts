import { type Engine, GPU_BUFFER_USAGE } from './engine.js';
import type { Slot } from './placement.js';

/**
 * Buffers for the temporaries of several plans. Plans run one after the other, so what one has computed may be overwritten by
 * the next: together they take what the largest of them takes. Compile the largest first; a buffer never grows.
 */
export class Arena {
  private readonly buffers: GPUBuffer[] = [];

  constructor(private readonly engine: Engine) {}

  /** A buffer for each slot, each at least as large as its slot and no two the same. */
  take(slots: readonly Slot[]): GPUBuffer[] {
    const free = new Set(this.buffers);
    const taken: GPUBuffer[] = [];
    for (const { bytes } of slots) {
      let best: GPUBuffer | null = null;
      for (const buffer of free) if (buffer.size >= bytes && (!best || buffer.size < best.size)) best = buffer;
      if (best) free.delete(best);
      else {
        best = this.engine.createBuffer('arena', bytes, ARENA_USAGE);
        this.buffers.push(best);
      }
      taken.push(best);
    }
    return taken;
  }

  /** Only after the plans in it are disposed of. */
  dispose(): void {
    for (const buffer of this.buffers) this.engine.destroyBuffer(buffer);
    this.buffers.length = 0;
  }
}

export const ARENA_USAGE = GPU_BUFFER_USAGE.STORAGE | GPU_BUFFER_USAGE.COPY_DST | GPU_BUFFER_USAGE.COPY_SRC;
