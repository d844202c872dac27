import { createHash } from 'node:crypto';
import type { Engine } from '../kernels/engine.js';
import type { Shape } from '../kernels/tensor.js';
import { layerWeights } from '../models/graph.js';
import type { Network, Weights } from '../models/network.js';
import { InferenceDraft, type InferencePlan, inferenceBatchSize } from './inference.js';
import type { Partition } from './partition.js';
import type { FeatureType, RecordLayout } from './recordLayout.js';
import type { PictureSource } from './types.js';

/** Takes the records of a batch, one after the other; false ends the computation. */
export type RecordVisitor = (hashes: readonly string[], records: Uint8Array) => boolean | Promise<boolean>;

/**
 * The frozen part of a network. One plan of fixed batch size computes all features, so that a picture's bits are the same at every
 * call. The plan is compiled when it is first needed: where a store has all features, never.
 */
export class Trunk {
  private plan: Promise<InferencePlan> | null = null;
  private isReleased = false;

  private constructor(
    private readonly engine: Engine,
    private readonly weights: Weights,
    private readonly partition: Partition,
    private readonly draft: InferenceDraft,
  ) {}

  static async open(
    engine: Engine,
    network: Network,
    weights: Weights,
    partition: Partition,
    dtype: FeatureType,
  ): Promise<Trunk> {
    const draft = await InferenceDraft.create(engine, network, weights, {
      batchSize: inferenceBatchSize(engine),
      layers: partition.boundary,
      activationType: dtype,
      isTuned: true,
    });
    return new Trunk(engine, weights, partition, draft);
  }

  /** Shapes of one picture's features, by layer. */
  get shapes(): ReadonlyMap<string, Shape> {
    return this.draft.shapes;
  }

  /**
   * The key under which features may be kept: SHA-256 over all that their bits depend on besides the picture. That is the plan
   * itself, with the kernels' code and their choice; the trunk's weights; the adapter; and `decoding`, how pictures are decoded.
   */
  key(decoding: string): string {
    const { vendor, architecture, device, description } = this.engine.adapter;
    const hash = createHash('sha256');
    hash.update(JSON.stringify([this.draft.description, vendor, architecture, device, description, decoding]));
    for (const name of this.partition.trunk.flatMap(layerWeights)) {
      const weight = this.weights.get(name);
      if (!weight) continue;
      const { buffer, byteOffset, byteLength } = weight.data;
      hash.update(JSON.stringify([name, weight.shape])).update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return hash.digest('hex');
  }

  /** Makes it ready to compute at full speed. */
  compile(): Promise<InferencePlan> {
    this.plan ??= this.draft.compile().then(async (plan) => {
      await plan.warm();
      return plan;
    });
    return this.plan;
  }

  /** Calls `visit` with the records of each batch. An aborted signal ends it early. */
  async compute(
    hashes: readonly string[],
    pictures: PictureSource,
    layout: RecordLayout,
    visit: RecordVisitor,
    signal: AbortSignal | null = null,
  ): Promise<void> {
    if (hashes.length === 0) return;
    const plan = await this.compile();
    await plan.runAll(
      hashes.map((hash) => ({ hash })),
      pictures,
      (batch, values) => {
        const records = layout.encode(values, batch.length);
        return visit(
          batch.map(({ hash }) => hash),
          records,
        );
      },
      signal,
    );
  }

  /** Frees what the device holds for the trunk, which can compute no more then. */
  async release(): Promise<void> {
    if (this.isReleased) return;
    this.isReleased = true;
    if (this.plan === null) return this.draft.dispose();
    await this.plan.then(
      (plan) => plan.dispose(),
      () => undefined,
    );
  }
}
