import type { Engine } from '../kernels/engine.js';
import { elementCount, type Shape } from '../kernels/tensor.js';
import type { Network, Weights } from '../models/network.js';
import { InferencePlan, inferenceBatchSize, inputLayer } from './inference.js';
import type { Partition } from './partition.js';
import { activationType, type PictureSource, type TrainingOptions } from './types.js';

/** What the head reads of each picture, by plan input: the trunk's features, or the picture's bytes where nothing is frozen. */
export type HeadInputs = Readonly<Record<string, ArrayBufferView>>;

/** Cached features and pictures may take this much of the process's memory; beyond it they are computed again. */
const CACHE_BYTES = 2 ** 30;

export interface FeatureProgress {
  (done: number, total: number): void | Promise<void>;
}

/** Where a head gets its inputs from. Results never depend on whether they come out of the cache. */
export interface FeatureSource {
  /** Shapes of the head's inputs for one picture; null: the head reads the pictures' bytes itself. */
  readonly shapes: ReadonlyMap<string, Shape> | null;
  /** Computes and caches what `load` will need, as far as the cache goes. */
  prepare(hashes: readonly string[], signal: AbortSignal, onProgress: FeatureProgress): Promise<void>;
  load(hashes: readonly string[]): Promise<HeadInputs>;
  dispose(): void;
}

export async function openFeatureSource(
  engine: Engine,
  network: Network,
  weights: Weights,
  partition: Partition,
  pictures: PictureSource,
  options: Pick<TrainingOptions, 'cacheFeatures' | 'precision'>,
): Promise<FeatureSource> {
  const [only] = partition.boundary;
  if (partition.boundary.length === 1 && only === inputLayer(network).name)
    return new PictureBytes(pictures, network, options.cacheFeatures);
  const plan = await InferencePlan.compile(engine, network, weights, {
    batchSize: inferenceBatchSize(engine),
    layers: partition.boundary,
    activationType: activationType(options),
  });
  return new TrunkFeatures(plan, pictures, options.cacheFeatures);
}

/** The trunk's features, computed by one plan of fixed batch size so that a picture's bits are the same at every call. */
class TrunkFeatures implements FeatureSource {
  private readonly cached = new Map<string, readonly Float32Array[]>();
  private readonly bytesPerPicture: number;

  constructor(
    private readonly plan: InferencePlan,
    private readonly pictures: PictureSource,
    private readonly cache: boolean,
  ) {
    this.bytesPerPicture = 4 * [...plan.shapes.values()].reduce((sum, shape) => sum + elementCount(shape), 0);
  }

  get shapes(): ReadonlyMap<string, Shape> {
    return this.plan.shapes;
  }

  async prepare(hashes: readonly string[], signal: AbortSignal, onProgress: FeatureProgress): Promise<void> {
    if (!this.cache) return;
    const room = Math.floor(CACHE_BYTES / this.bytesPerPicture) - this.cached.size;
    const missing = [...new Set(hashes)].filter((hash) => !this.cached.has(hash)).slice(0, Math.max(0, room));
    await this.compute(missing, signal, onProgress, (hash, features) => this.cached.set(hash, features));
  }

  async load(hashes: readonly string[]): Promise<HeadInputs> {
    const found = new Map<string, readonly Float32Array[]>();
    const missing: string[] = [];
    for (const hash of hashes) {
      const features = this.cached.get(hash);
      if (features) found.set(hash, features);
      else if (!missing.includes(hash)) missing.push(hash);
    }
    await this.compute(missing, null, null, (hash, features) => found.set(hash, features));
    const inputs: Record<string, Float32Array> = {};
    [...this.plan.shapes].forEach(([name, shape], index) => {
      const size = elementCount(shape);
      const batch = new Float32Array(hashes.length * size);
      hashes.forEach((hash, i) => {
        batch.set((found.get(hash) as readonly Float32Array[])[index] as Float32Array, i * size);
      });
      inputs[name] = batch;
    });
    return inputs;
  }

  /** Runs the trunk batch by batch; the next batch is decoded while the GPU works on this one. */
  private async compute(
    hashes: readonly string[],
    signal: AbortSignal | null,
    onProgress: FeatureProgress | null,
    store: (hash: string, features: readonly Float32Array[]) => void,
  ): Promise<void> {
    const { batchSize } = this.plan;
    const loadBatch = (start: number) => {
      const batch = hashes.slice(start, start + batchSize);
      const bytes = batch.length > 0 ? this.pictures.load(batch) : null;
      bytes?.catch(() => undefined);
      return bytes;
    };
    let next = loadBatch(0);
    for (let start = 0; start < hashes.length; start += batchSize) {
      if (signal?.aborted) return;
      const batch = hashes.slice(start, start + batchSize);
      const bytes = (await next) as Uint8Array;
      next = loadBatch(start + batchSize);
      const outputs = await this.plan.run(bytes)();
      const values = [...this.plan.shapes].map(([name, shape]) => ({
        data: outputs[name] as Float32Array,
        size: elementCount(shape),
      }));
      batch.forEach((hash, i) => {
        store(
          hash,
          values.map(({ data, size }) => data.slice(i * size, (i + 1) * size)),
        );
      });
      await onProgress?.(Math.min(start + batchSize, hashes.length), hashes.length);
    }
  }

  dispose(): void {
    this.cached.clear();
    this.plan.dispose();
  }
}

/** Nothing is frozen below the head: it reads the decoded pictures, which are kept in memory as far as they fit. */
class PictureBytes implements FeatureSource {
  readonly shapes = null;
  private readonly cached = new Map<string, Uint8Array>();
  private readonly pictureBytes: number;

  constructor(
    private readonly pictures: PictureSource,
    network: Network,
    private readonly cache: boolean,
  ) {
    this.pictureBytes = network.preprocessing.height * network.preprocessing.width * 3;
  }

  async prepare(): Promise<void> {}

  async load(hashes: readonly string[]): Promise<HeadInputs> {
    const missing = [...new Set(hashes)].filter((hash) => !this.cached.has(hash));
    const loaded = missing.length > 0 ? await this.pictures.load(missing) : new Uint8Array();
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

  dispose(): void {
    this.cached.clear();
  }
}
