import type { Engine } from '../kernels/engine.js';
import type { Network, Weights } from '../models/network.js';
import type { FeatureStore } from './featureStore.js';
import type { HeadInputs, HeadSource } from './headInputs.js';
import { inputLayer } from './inference.js';
import type { Partition } from './partition.js';
import { PictureBytes } from './pictureBytes.js';
import { TrunkFeatures } from './trunkFeatures.js';
import type { PictureSource, TrainingOptions } from './types.js';

export interface FeatureProgress {
  (done: number, total: number): void | Promise<void>;
}

/** Where a head gets its inputs from. Results never depend on whether they come out of a cache. */
export interface FeatureSource extends HeadSource {
  /** Whether `prepare` has anything to do. */
  readonly isCached: boolean;
  /** Computes and caches what `load` will need, as far as the cache goes. */
  prepare(hashes: readonly string[], signal: AbortSignal, onProgress: FeatureProgress): Promise<void>;
  load(hashes: readonly string[]): Promise<HeadInputs>;
  dispose(): Promise<void>;
}

export interface FeatureRequest {
  readonly engine: Engine;
  readonly network: Network;
  readonly weights: Weights;
  readonly partition: Partition;
  readonly pictures: PictureSource;
  /** All pictures that will be asked for. */
  readonly hashes: readonly string[];
  readonly options: Pick<TrainingOptions, 'cacheFeatures' | 'precision' | 'memoryLimitMiB'>;
  /** Keeps features beyond the run. */
  readonly store?: FeatureStore;
}

/** The features of the frozen trunk, or the pictures themselves where nothing is frozen. Compiles what will be needed. */
export async function openFeatureSource(request: FeatureRequest): Promise<FeatureSource> {
  const { network, partition, pictures, options } = request;
  const [only] = partition.boundary;
  return partition.boundary.length === 1 && only === inputLayer(network).name
    ? new PictureBytes(pictures, network, options.cacheFeatures)
    : TrunkFeatures.open(request);
}
