import { type Engine, GPU_BUFFER_USAGE } from './engine.js';

export const ARENA_USAGE = GPU_BUFFER_USAGE.STORAGE | GPU_BUFFER_USAGE.COPY_DST | GPU_BUFFER_USAGE.COPY_SRC;

/**
 * Buffers for the temporaries of several plans. Plans run one after the other, so what one has computed may be overwritten by
 * the next: together they take hardly more than the largest of them. Compile the largest first; a buffer never grows.
 */
export class Arena {
  private readonly buffers: GPUBuffer[] = [];

  constructor(private readonly engine: Engine) {}

  /** A buffer for each of a plan's slots, at least as large as the slot and no two the same. */
  take(slots: readonly number[]): GPUBuffer[] {
    const sizes = this.buffers.map((buffer) => buffer.size);
    const places = fit(sizes, slots);
    for (const size of sizes.slice(this.buffers.length)) {
      this.buffers.push(this.engine.createBuffer('arena', size, ARENA_USAGE));
    }
    return places.map((place) => this.buffers[place] as GPUBuffer);
  }

  /** Only after the plans in it are disposed of. */
  dispose(): void {
    for (const buffer of this.buffers) this.engine.destroyBuffer(buffer);
    this.buffers.length = 0;
  }
}

/** Bytes of an arena for plans with these slots, compiled in this order. */
export function arenaBytes(plans: Iterable<readonly number[]>): number {
  const sizes: number[] = [];
  for (const slots of plans) fit(sizes, slots);
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Which buffer each slot gets, the smallest free one that holds it; `sizes` grows by those that are missing. */
function fit(sizes: number[], slots: readonly number[]): number[] {
  const free = new Set(sizes.keys());
  return slots.map((bytes) => {
    let best: number | null = null;
    for (const index of free) {
      const size = sizes[index] as number;
      if (size >= bytes && (best === null || size < (sizes[best] as number))) best = index;
    }
    if (best === null) return sizes.push(bytes) - 1;
    free.delete(best);
    return best;
  });
}
