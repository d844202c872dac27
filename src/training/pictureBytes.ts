import type { PlanBuilder } from '../kernels/planBuilder.js';
import type { Tensor } from '../kernels/tensor.js';
import type { Network } from '../models/network.js';
import type { FeatureSource } from './features.js';
import { type HeadInputs, uploadedPictures } from './headInputs.js';
import type { PictureSource } from './types.js';

/** Decoded pictures may take this much of the process's memory; beyond it they are decoded again. */
const CACHE_BYTES = 2 ** 30;

/** Nothing is frozen below the head: it reads the decoded pictures, which are kept in memory as far as they fit. */
export class PictureBytes implements FeatureSource {
  readonly isCached = false;
  private readonly cached = new Map<string, Uint8Array>();
  private readonly pictureBytes: number;

  constructor(
    private readonly pictures: PictureSource,
    private readonly network: Network,
    private readonly cache: boolean,
  ) {
    this.pictureBytes = network.preprocessing.height * network.preprocessing.width * 3;
  }

  addInputs(b: PlanBuilder, size: number): Map<string, Tensor> {
    return uploadedPictures(this.network).addInputs(b, size);
  }

  async prepare(): Promise<void> {}

  async load(hashes: readonly string[]): Promise<HeadInputs> {
    const missing = [...new Set(hashes)].filter((hash) => !this.cached.has(hash));
    const loaded = missing.length > 0 ? await this.pictures.load(missing) : new Uint8Array();
    if (missing.length === hashes.length && !this.cache) return { pictures: loaded };
    const fresh = new Map(
      missing.map((hash, i) => [hash, loaded.subarray(i * this.pictureBytes, (i + 1) * this.pictureBytes)]),
    );
    const batch = new Uint8Array(hashes.length * this.pictureBytes);
    hashes.forEach((hash, i) => {
      batch.set((this.cached.get(hash) ?? fresh.get(hash)) as Uint8Array, i * this.pictureBytes);
    });
    if (this.cache) {
      for (const [hash, bytes] of fresh) {
        if ((this.cached.size + 1) * this.pictureBytes <= CACHE_BYTES) this.cached.set(hash, bytes.slice());
      }
    }
    return { pictures: batch };
  }

  async dispose(): Promise<void> {
    this.cached.clear();
  }
}
