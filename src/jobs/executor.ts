import { DecodingPictureSource } from '../datasets/pictureSource.js';
import type { Engine } from '../kernels/engine.js';
import { readSafetensors, writeSafetensors } from '../models/formats/safetensors.js';
import { initializeWeights } from '../models/initialize.js';
import type { Network, Preprocessing, Weights } from '../models/network.js';
import { networkFromJson } from '../models/networkJson.js';
import type { ComparisonOutcome } from '../models/receipt.js';
import { openEngine, releaseGpu } from '../runtime/gpu.js';
import { findOnnxRuntime } from '../runtime/onnxRuntime.js';
import { attachTuner } from '../runtime/tuning.js';
import { BlobStore } from '../store/blobs.js';
import { CheckpointFiles } from '../store/checkpointFiles.js';
import { FeatureFiles } from '../store/featureFiles.js';
import { wholePicture } from '../training/augmentation/wholePicture.js';
import { type Checkpoints, readCheckpoint, writeCheckpoint } from '../training/checkpoint.js';
import { evaluatePlan } from '../training/evaluate.js';
import type { FeatureStore } from '../training/featureStore.js';
import { inferenceBatchSize, inputLayer } from '../training/inference.js';
import { predictPictures } from '../training/predict.js';
import { measureSpeed, type Speed } from '../training/speed.js';
import { trainNetwork } from '../training/trainer.js';
import type { EvaluationResult, PictureSource } from '../training/types.js';
import { compareExport, generatedPictures } from './compareExport.js';
import { compareReference, findImportDivergence } from './compareReference.js';
import { PlanCache } from './planCache.js';
import type {
  CompareExportJob,
  CompareReferenceJob,
  DeviceInfo,
  EvaluateJob,
  Executor,
  Job,
  JobContext,
  JobResult,
  ModelReference,
  MeasureJob,
  OpenExecutor,
  PredictJob,
  PredictOutcome,
  TrainJob,
  TrainOutcome,
  WorkerSettings,
} from './protocol.js';
import { ProgressThrottle } from './throttle.js';

/** Decoded pictures that are kept for augmentation, which reads all of them in every epoch, in bytes. */
const WHOLE_PICTURES_BYTES = 2 ** 30;

/** Share of a run's time that its checkpoints may take. */
const CHECKPOINTS_SHARE = 0.03;

/** Runs jobs on the GPU of this process, over the blobs that the server shares. */
export const openExecutor: OpenExecutor = async ({ adapter, blobs, features, tuning, checkpoints }) => {
  const engine = await openEngine({ adapter });
  await attachTuner(engine, tuning);
  const store = features && new FeatureFiles(features.folder, { limitBytes: features.limitBytes, onProblem: warn });
  return new GpuExecutor(engine, await BlobStore.open(blobs), store, checkpoints);
};

const warn = (error: unknown) => console.error('Features cannot be kept for later runs:', error);

class GpuExecutor implements Executor {
  readonly device: DeviceInfo;
  readonly lost: Promise<Error>;
  private readonly plans: PlanCache;

  constructor(
    private readonly engine: Engine,
    private readonly blobs: BlobStore,
    private readonly featureStore: FeatureStore | null,
    private readonly checkpoints: WorkerSettings['checkpoints'],
  ) {
    const { vendor, architecture, description, isSoftware, features } = engine.adapter;
    this.device = { vendor, architecture, description, isSoftware, kernelFamily: engine.kernelFamily, features };
    this.lost = engine.lost;
    this.plans = new PlanCache(engine);
  }

  run(job: Job, context: JobContext): Promise<JobResult> {
    switch (job.kind) {
      case 'train':
        return this.train(job, context);
      case 'evaluate':
        return this.evaluate(job, context);
      case 'predict':
        return this.predict(job, context);
      case 'compareExport':
        return this.compareExport(job);
      case 'measure':
        return this.measure(job, context);
      case 'compareReference':
        return this.compareReference(job);
    }
  }

  async close(): Promise<void> {
    this.plans.clear();
    this.engine.destroy();
    releaseGpu();
  }

  private async train(job: TrainJob, context: JobContext): Promise<TrainOutcome> {
    const { network, weights } = await this.load(job.model);
    const throttle = new ProgressThrottle();
    const { best, last, ...rest } = await trainNetwork({
      engine: this.engine,
      network,
      weights,
      train: job.train,
      validation: job.validation,
      // What the run keeps of the pictures, features or pixels, it keeps itself.
      pictures: this.pictures(network.preprocessing, job.options.cacheFeatures ? 0 : undefined),
      wholePictures: this.pictures(wholePicture(network.preprocessing), WHOLE_PICTURES_BYTES),
      featureStore: this.featureStore ?? undefined,
      options: job.options,
      signal: context.signal,
      onProgress: (event) => (throttle.accepts(event) ? context.onProgress(event) : undefined),
      checkpoints: await this.checkpointsOf(job),
    });
    const lastWeights = await this.store(last);
    const bestWeights = best === last ? lastWeights : await this.store(best);
    return { ...rest, bestWeights, lastWeights };
  }

  /** Another adapter or another kernel family computes other bits: its checkpoints are not gone on from. */
  private async checkpointsOf({ run }: TrainJob): Promise<Checkpoints | undefined> {
    if (!this.checkpoints) return undefined;
    const { folder, everySeconds } = this.checkpoints;
    const files = new CheckpointFiles(folder);
    const owner = JSON.stringify(this.device);
    const bytes = await files.read(run);
    return {
      resume: bytes && readCheckpoint(bytes, owner),
      everySeconds,
      largestShare: CHECKPOINTS_SHARE,
      save: (checkpoint) => files.write(run, writeCheckpoint(checkpoint, owner)),
    };
  }

  private async evaluate(job: EvaluateJob, { signal }: JobContext): Promise<EvaluationResult> {
    const { network } = parse(job.model);
    const plan = await this.plan(job.model, inferenceBatchSize(this.engine));
    const pictures = this.pictures(network.preprocessing);
    return evaluatePlan(plan, { samples: job.samples, pictures, classes: job.classes, signal });
  }

  /** Each picture by itself may turn out not to be one; the others are predicted all the same. */
  private async predict(job: PredictJob, { signal }: JobContext): Promise<PredictOutcome[]> {
    const { network } = parse(job.model);
    const batchSize = job.hashes.length === 1 ? 1 : inferenceBatchSize(this.engine);
    const plan = await this.plan(job.model, batchSize);
    const source = this.pictures(network.preprocessing);
    const outcomes: PredictOutcome[] = [];
    for (let start = 0; start < job.hashes.length; start += batchSize) {
      signal.throwIfAborted();
      const loaded = await Promise.allSettled(
        job.hashes.slice(start, start + batchSize).map((hash) => source.load([hash])),
      );
      const good = loaded.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      const request = { pictures: Buffer.concat(good), count: good.length, topK: job.topK };
      const classes = network.classes ?? [];
      const predictions = good.length > 0 ? await predictPictures(plan, { ...request, classes }) : [];
      for (const result of loaded) {
        if (result.status === 'fulfilled') outcomes.push({ predictions: predictions.shift() ?? [], error: null });
        else outcomes.push({ predictions: [], error: (result.reason as Error).message });
      }
    }
    return outcomes;
  }

  /** Nothing else runs on the device meanwhile (see `Supervisor.run`), so that plans that are kept can make room. */
  private measure(job: MeasureJob, { signal }: JobContext): Promise<Speed> {
    this.plans.clear();
    const network = networkFromJson(job.networkJson);
    const { batchSize, seconds } = job;
    return measureSpeed(this.engine, network, initializeWeights(network, 1), { batchSize, seconds, signal });
  }

  private async compareExport(job: CompareExportJob): Promise<ComparisonOutcome> {
    const other = await findOnnxRuntime();
    if (!other) return { notCompared: 'No other engine is installed here: npm install onnxruntime-node gives one.' };
    const model = await this.load(job.model);
    const source = this.pictures(model.network.preprocessing);
    const given = await Promise.all(
      job.pictures.map(async ({ name, hash }) => ({ name, pixels: await source.load([hash]) })),
    );
    const exported = { ...job.exported, file: await this.blobs.read(job.hash) };
    const pictures = [...given, ...generatedPictures(model.network)];
    return { comparison: await compareExport(this.engine, model, exported, other, pictures) };
  }

  private async compareReference(job: CompareReferenceJob): Promise<ComparisonOutcome> {
    const model = await this.load(job.model);
    const source = this.pictures(model.network.preprocessing);
    const floats = async (hash: string) => new Float32Array(Uint8Array.from(await this.blobs.read(hash)).buffer);
    const arePictures = 'pictures' in job.inputs;
    const names = 'pictures' in job.inputs ? job.inputs.pictures.map(({ name }) => name) : job.inputs.names;
    const inputs =
      'pictures' in job.inputs
        ? await source.load(job.inputs.pictures.map(({ hash }) => hash))
        : await floats(job.inputs.values);
    const expected = await floats(job.expected);
    const run = { inputs, names, expected, source: job.source, tolerance: job.tolerance };
    const comparison = await compareReference(this.engine, model, run);
    const other = job.onnx !== null && comparison.relativeDifference > job.tolerance ? await findOnnxRuntime() : null;
    if (!other) return { comparison };
    const size = inputs.length / names.length;
    const row = names.indexOf(comparison.input);
    const input = inputs.slice(row * size, (row + 1) * size);
    const file = await this.blobs.read(job.onnx as string);
    try {
      const found = await findImportDivergence(this.engine, model, file, other, input);
      // The network computes what the file says: what differs is what it is given.
      const { relativeDifference } = comparison;
      const atInput = arePictures ? { name: inputLayer(model.network).name, relativeDifference } : null;
      return { comparison: { ...comparison, divergingLayer: found ?? atInput } };
    } catch (error) {
      // The other engine may not run the file (external data, operators, types): the difference is known all the same.
      console.error('The layer at which an import differs cannot be found:', error);
      return { comparison };
    }
  }

  private plan(model: ModelReference, batchSize: number) {
    return this.plans.get(`${model.weightsHash} ${model.networkJson}`, batchSize, () => this.load(model));
  }

  private async load(model: ModelReference): Promise<{ network: Network; weights: Weights }> {
    const { tensors } = readSafetensors(await this.blobs.read(model.weightsHash));
    return { ...parse(model), weights: tensors };
  }

  private async store(weights: Weights): Promise<string> {
    const { hash } = await this.blobs.put(writeSafetensors({ metadata: new Map(), tensors: weights }));
    return hash;
  }

  private pictures(preprocessing: Preprocessing, cacheBytes?: number): PictureSource {
    return new DecodingPictureSource({ read: (hash) => this.blobs.read(hash), preprocessing, cacheBytes });
  }
}

const parse = ({ networkJson }: ModelReference): { network: Network } => ({ network: networkFromJson(networkJson) });
