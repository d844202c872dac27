import type { PlanBuilder } from '../kernels/planBuilder.js';
import type { Tensor } from '../kernels/tensor.js';
import type { FeatureProgress, FeatureRequest, FeatureSource } from './features.js';
import type { FeatureRecords } from './featureStore.js';
import { FeatureTable } from './featureTable.js';
import { type HeadInputs, uploadedValues } from './headInputs.js';
import { RecordLayout } from './recordLayout.js';
import { Trunk } from './trunk.js';
import { activationType, type PictureSource } from './types.js';

/** Features that stay on the device may take this much of its memory. */
const DEVICE_BYTES = 2 ** 28;
/** Features that do not may take this much of the process's; beyond it they are read from the store, or computed again. */
const MEMORY_BYTES = 2 ** 30;

export interface FeatureLimits {
  readonly deviceBytes: number;
  readonly memoryBytes: number;
}

/**
 * The frozen trunk's features. Those of all pictures stay on the device where they fit, in the process's memory as far as they fit
 * otherwise. A store keeps them for the next run. The head's inputs have the same bits on every way.
 */
export class TrunkFeatures implements FeatureSource {
  private readonly memory = new Map<string, Uint8Array>();

  private constructor(
    private readonly trunk: Trunk,
    private readonly pictures: PictureSource,
    private readonly layout: RecordLayout,
    private readonly all: readonly string[],
    readonly isCached: boolean,
    private readonly limits: FeatureLimits,
    private readonly table: FeatureTable | null,
    private readonly records: FeatureRecords | null,
  ) {}

  static async open(
    request: FeatureRequest,
    limits: FeatureLimits = { deviceBytes: DEVICE_BYTES, memoryBytes: MEMORY_BYTES },
  ): Promise<TrunkFeatures> {
    const { engine, network, weights, partition, pictures, options, store } = request;
    const dtype = activationType(options);
    const trunk = await Trunk.open(engine, network, weights, partition, dtype);
    let table: FeatureTable | null = null;
    let records: FeatureRecords | null = null;
    try {
      const layout = new RecordLayout(trunk.shapes, dtype);
      const hashes = [...new Set(request.hashes)];
      // Under a memory limit, how a batch is cut into parts depends on the memory in use: then that must not depend on a cache.
      const isLimited = options.memoryLimitMiB !== null;
      if (options.cacheFeatures) {
        if (!isLimited) table = await FeatureTable.create(engine, layout, hashes.length, limits.deviceBytes);
        // What nobody can name the decoding of must not outlive the run.
        if (store && pictures.decoding !== undefined) {
          records = await store.open(trunk.key(pictures.decoding), layout.bytes);
        }
      }
      if (isLimited || !hashes.every((hash) => records?.has(hash))) await trunk.compile();
      return new TrunkFeatures(trunk, pictures, layout, hashes, options.cacheFeatures, limits, table, records);
    } catch (error) {
      table?.dispose();
      await records?.close();
      await trunk.release();
      throw error;
    }
  }

  addInputs(b: PlanBuilder, size: number): Map<string, Tensor> {
    return (this.table ?? uploadedValues(this.layout.shapes)).addInputs(b, size);
  }

  private isKept(hash: string): boolean {
    return this.table?.has(hash) ?? this.memory.has(hash);
  }

  private hasRoom(): boolean {
    return this.table !== null || (this.memory.size + 1) * this.layout.bytes <= this.limits.memoryBytes;
  }

  private keep(hash: string, record: Uint8Array): void {
    if (!this.isCached || this.isKept(hash) || !this.hasRoom()) return;
    if (this.table) this.table.add(hash, record);
    else this.memory.set(hash, record.slice());
  }

  async prepare(hashes: readonly string[], signal: AbortSignal, onProgress: FeatureProgress): Promise<void> {
    if (!this.isCached) return;
    const wanted = [...new Set(hashes)].filter((hash) => !this.isKept(hash));
    const room = this.table
      ? wanted.length
      : Math.floor(this.limits.memoryBytes / this.layout.bytes) - this.memory.size;
    await this.records?.read(wanted.slice(0, Math.max(0, room)), (hash, record) => this.keep(hash, record));
    const lacking = wanted.filter((hash) => !this.isKept(hash) && !this.records?.has(hash));
    // Without a store there is no use in more than memory holds.
    const missing = this.records ? lacking : lacking.slice(0, Math.max(0, room));
    let done = wanted.length - lacking.length;
    if (missing.length === 0) await onProgress(done, wanted.length);
    const visit = async (batch: readonly string[], records: Uint8Array) => {
      for (const [i, hash] of batch.entries()) this.keep(hash, this.record(records, i));
      await this.records?.append(batch, records);
      done += batch.length;
      await onProgress(done, wanted.length);
      const last = batch.at(-1) as string;
      return this.isKept(last) || this.records?.has(last) === true;
    };
    await this.trunk.compute(missing, this.pictures, this.layout, visit, signal);
    this.table?.flush();
    // With all of them at hand the trunk's memory is better left to the head.
    if (this.all.every((hash) => this.isKept(hash))) await this.trunk.release();
  }

  private record(records: Uint8Array, index: number): Uint8Array {
    return records.subarray(index * this.layout.bytes, (index + 1) * this.layout.bytes);
  }

  async load(hashes: readonly string[]): Promise<HeadInputs> {
    if (this.table && hashes.every((hash) => this.isKept(hash))) return this.table.inputs(hashes);
    const found = new Map<string, Uint8Array>();
    const wanted: string[] = [];
    for (const hash of new Set(hashes)) {
      const record = this.memory.get(hash);
      if (record) found.set(hash, record);
      else if (!this.table?.has(hash)) wanted.push(hash);
    }
    const take = (hash: string, record: Uint8Array) => {
      found.set(hash, record.slice());
      this.keep(hash, record);
    };
    await this.records?.read(wanted, take);
    const missing = wanted.filter((hash) => !found.has(hash));
    await this.trunk.compute(missing, this.pictures, this.layout, async (batch, records) => {
      for (const [i, hash] of batch.entries()) take(hash, this.record(records, i));
      await this.records?.append(batch, records);
      return true;
    });
    if (this.table) {
      this.table.flush();
      return this.table.inputs(hashes);
    }
    return this.layout.decode(hashes.map((hash) => found.get(hash) as Uint8Array));
  }

  async dispose(): Promise<void> {
    this.memory.clear();
    this.table?.dispose();
    await this.records?.close();
    await this.trunk.release();
  }
}
