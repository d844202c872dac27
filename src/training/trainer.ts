import type { Engine } from '../kernels/engine.js';
import type { Network, Weights } from '../models/network.js';
import { AugmentedPictures } from './augmentation/augmentedPictures.js';
import { type BestEpoch, CheckpointClock, type Checkpoints, type TrainingCheckpoint } from './checkpoint.js';
import { checkClassWeights, weightsOfClasses } from './classWeights.js';
import { ahead, batchesOf } from './ahead.js';
import { TrainingError } from './errors.js';
import { type FeatureSource, openFeatureSource } from './features.js';
import type { FeatureStore } from './featureStore.js';
import { type BatchResult, IGNORED_LABEL, TrainableHead } from './head.js';
import { checkTrainingOptions } from './options.js';
import { isTrainable, type Partition, partitionNetwork } from './partition.js';
import { ProgressMeter } from './progress.js';
import { epochOrder } from './shuffle.js';
import { type TrainingInputs, unchangedPictures } from './trainingInputs.js';
import type { PictureSource, ProgressEvent, Sample, TrainingOptions } from './types.js';

export interface TrainingRequest {
  readonly engine: Engine;
  readonly network: Network;
  readonly weights: Weights;
  readonly train: readonly Sample[];
  /** May be empty: then the best weights are the last ones. */
  readonly validation: readonly Sample[];
  readonly pictures: PictureSource;
  /** The same, decoded as `wholePicture` of the network's preprocessing says. Needed for augmentation only. */
  readonly wholePictures?: PictureSource;
  /** Keeps the frozen trunk's features for later runs. */
  readonly featureStore?: FeatureStore;
  readonly options: TrainingOptions;
  readonly signal: AbortSignal;
  readonly onProgress: (event: ProgressEvent) => void | Promise<void>;
  /** Keeps where the run is, so that another process can go on from there with the same bits. */
  readonly checkpoints?: Checkpoints;
}

export interface TrainingResult {
  /** Weights of the epoch with the best validation accuracy (of equals, the lowest loss; of equals, the first). */
  readonly best: Weights;
  readonly last: Weights;
  /** Epochs count from 1; 0 where no epoch was finished. */
  readonly bestEpoch: number;
  /** Steps that were taken. */
  readonly steps: number;
  readonly secondsFeatures: number;
  readonly secondsTrain: number;
  readonly cancelled: boolean;
}

/**
 * Trains the layers of a network whose learning-rate factor is not 0. The same request gives the same bits on the same
 * adapter, with the feature cache on or off.
 *
 * An aborted signal ends the run after the step at hand and resolves with `cancelled` and the weights so far.
 * Throws `TrainingError` for a request that cannot be trained and `EngineError` where the device fails.
 */
export async function trainNetwork(request: TrainingRequest): Promise<TrainingResult> {
  checkRequest(request);
  const { engine, network, weights, options, pictures, featureStore: store } = request;
  const partition = partitionNetwork(network);
  await request.onProgress({ type: 'phase', phase: 'compiling' });
  const hashes = cachedSamples(request).map(({ hash }) => hash);
  const source = await openFeatureSource({
    engine,
    network,
    weights,
    partition,
    pictures,
    hashes,
    options,
    store,
  });
  let training: TrainingInputs | null = null;
  let head: TrainableHead | null = null;
  try {
    training = openTrainingInputs(request, partition, source);
    const labels = request.train.map(({ label }) => label);
    const classWeights = weightsOfClasses(options, labels, network.classes?.length ?? Math.max(...labels) + 1);
    head = new TrainableHead(engine, network, weights, partition, source, options, classWeights, training);
    return await new Training(request, source, training, head).run();
  } finally {
    head?.dispose();
    training?.dispose();
    await source.dispose();
  }
}

/** The pictures that are the same at every look. */
const cachedSamples = ({ train, validation, options }: TrainingRequest): readonly Sample[] =>
  options.augmentation ? validation : [...train, ...validation];

function openTrainingInputs(request: TrainingRequest, partition: Partition, source: FeatureSource): TrainingInputs {
  const { engine, network, weights, options, wholePictures } = request;
  const { augmentation: policy, seed } = options;
  if (!policy || !wholePictures) return unchangedPictures(source);
  return new AugmentedPictures({ engine, network, weights, partition, pictures: wholePictures, policy, seed });
}

function checkRequest({ network, train, validation, options, wholePictures }: TrainingRequest): void {
  checkTrainingOptions(options);
  if (options.augmentation && !wholePictures) {
    throw new TrainingError('INVALID_OPTIONS', 'Augmentation needs wholePictures, which the request does not have.');
  }
  if (train.length === 0) {
    throw new TrainingError(
      'EMPTY_SPLIT',
      'The data set has no training pictures. Add pictures, or choose another split.',
    );
  }
  if (!isTrainable(network)) {
    throw new TrainingError('NOTHING_TO_TRAIN', 'Every layer is frozen. Unfreeze a layer or replace the head first.');
  }
  const classes = network.classes?.length;
  if (classes !== undefined) checkClassWeights(options, classes);
  const wrong = [...train, ...validation].find(
    ({ label }) => !Number.isInteger(label) || label < 0 || (classes !== undefined && label >= classes),
  );
  if (wrong) {
    throw new TrainingError(
      'INVALID_OPTIONS',
      `Picture ${wrong.hash} has label ${wrong.label}; the network has ${classes} classes.`,
    );
  }
}

/** Batches that are loaded before the device asks for them. */
const BATCHES_AHEAD = 2;

interface Measured {
  readonly loss: number;
  readonly accuracy: number;
}

class Training {
  private steps = 0;
  private secondsFeatures = 0;
  /** Seconds of training before this process took the run up. */
  private secondsBefore = 0;
  private best: BestEpoch | null = null;
  private bestEpoch = 0;
  private readonly clock: CheckpointClock | null;
  private stopped: 'no' | 'cancelled' | 'budget' = 'no';
  private trainingStarted = 0;

  constructor(
    private readonly request: TrainingRequest,
    private readonly source: FeatureSource,
    private readonly training: TrainingInputs,
    private readonly head: TrainableHead,
  ) {
    const { checkpoints } = request;
    this.clock = checkpoints ? new CheckpointClock(checkpoints) : null;
  }

  private get secondsTrain(): number {
    return this.secondsBefore + (performance.now() - this.trainingStarted) / 1000;
  }

  private get batchSize(): number {
    return Math.min(this.request.options.batchSize, this.request.train.length);
  }

  async run(): Promise<TrainingResult> {
    const { train, validation, onProgress } = this.request;
    const rest = train.length % this.batchSize;
    const sizes = rest === 0 ? [this.batchSize] : [this.batchSize, rest];
    const compiled = await this.head.compile(sizes, validation.length > 0);
    await onProgress({ type: 'compiled', ...compiled });
    const featuresStarted = performance.now();
    const cached = cachedSamples(this.request);
    if (this.source.isCached && cached.length > 0) {
      await onProgress({ type: 'phase', phase: 'features' });
      const meter = new ProgressMeter(onProgress);
      const hashes = cached.map(({ hash }) => hash);
      await this.source.prepare(hashes, this.request.signal, (done, total) => meter.pictures(done, total));
    }
    this.trainingStarted = performance.now();
    this.secondsFeatures = (this.trainingStarted - featuresStarted) / 1000;
    await onProgress({ type: 'phase', phase: 'training' });
    const resumed = this.request.checkpoints?.resume ?? null;
    if (resumed) await this.resume(resumed);
    await this.epochs(resumed);
    const last = await this.head.snapshot();
    return {
      best: this.best ? this.head.withLearned(this.best.weights) : last,
      last,
      bestEpoch: this.bestEpoch,
      steps: this.steps,
      secondsFeatures: this.secondsFeatures,
      secondsTrain: this.secondsTrain,
      cancelled: this.stopped === 'cancelled',
    };
  }

  private async resume(checkpoint: TrainingCheckpoint): Promise<void> {
    const { epoch, batches, best, steps, secondsFeatures, secondsTrain } = checkpoint;
    this.head.restore(checkpoint);
    this.steps = steps;
    this.secondsFeatures += secondsFeatures;
    this.secondsBefore = secondsTrain;
    this.best = best;
    this.bestEpoch = best?.epoch ?? (this.request.validation.length === 0 ? epoch - 1 : 0);
    await this.request.onProgress({ type: 'resumed', epoch, step: batches });
  }

  private async epochs(resumed: TrainingCheckpoint | null): Promise<void> {
    const { options, validation, onProgress } = this.request;
    const meter = new ProgressMeter(onProgress);
    for (let epoch = resumed?.epoch ?? 1; epoch <= options.epochs && this.stopped === 'no'; epoch++) {
      const started = performance.now();
      const trained = await this.epoch(epoch, meter, resumed?.epoch === epoch ? resumed : null);
      if (trained === null || this.isCancelled()) break;
      const validated = validation.length > 0 ? await this.validate() : null;
      await onProgress({
        type: 'epoch',
        epoch,
        epochs: options.epochs,
        trainLoss: trained.loss,
        trainAccuracy: trained.accuracy,
        validationLoss: validated?.loss ?? null,
        validationAccuracy: validated?.accuracy ?? null,
        seconds: (performance.now() - started) / 1000,
      });
      if (validated === null) this.bestEpoch = epoch;
      else if (this.best === null || isBetter(validated, this.best)) {
        this.best = { epoch, ...validated, weights: await this.head.learned() };
        this.bestEpoch = epoch;
      }
    }
  }

  private isCancelled(): boolean {
    if (this.request.signal.aborted) this.stopped = 'cancelled';
    return this.stopped === 'cancelled';
  }

  private isOverBudget(): boolean {
    const { maxSeconds } = this.request.options;
    return maxSeconds !== null && this.secondsTrain >= maxSeconds;
  }

  /**
   * One pass over the training pictures. A step's result is read while the next one runs, so that the GPU never waits;
   * the next batches are loaded meanwhile too. `from` says where in the epoch to begin. Null where no step was taken.
   */
  private async epoch(
    epoch: number,
    meter: ProgressMeter,
    from: Pick<TrainingCheckpoint, 'batches' | 'lossSum' | 'correct' | 'seen'> | null,
  ): Promise<Measured | null> {
    const { train, options } = this.request;
    const order = Array.from(epochOrder(train.length, options.seed, epoch), (at) => train[at] as Sample);
    const batches = batchesOf(order, this.batchSize);
    let { batches: index, lossSum, correct, seen } = from ?? { batches: 0, lossSum: 0, correct: 0, seen: 0 };
    let pending: { finish: () => Promise<BatchResult>; step: number; size: number } | null = null;
    const settle = async () => {
      if (!pending) return;
      const { finish, step, size } = pending;
      pending = null;
      const result = await finish();
      if (!Number.isFinite(result.loss)) {
        throw new TrainingError(
          'DIVERGED',
          `The loss is ${result.loss} at step ${step} of epoch ${epoch}. Lower the learning rate (${options.learningRate}) or set gradientClipNorm.`,
        );
      }
      lossSum += result.loss * size;
      correct += result.correct;
      seen += size;
      await meter.step(
        { epoch, epochs: options.epochs, step, steps: batches.length, learningRate: options.learningRate },
        { loss: lossSum / seen, accuracy: correct / seen },
        size,
      );
    };
    const load = (batch: readonly Sample[]) => this.training.load(batch, epoch, this.head.partSizes(batch.length));
    for await (const [batch, inputs] of ahead(batches.slice(index), BATCHES_AHEAD, load)) {
      if (this.isCancelled()) break;
      const labels = Uint32Array.from(batch, ({ label }) => label);
      const finish = this.head.trainStep(inputs, labels, options.learningRate);
      this.steps++;
      index++;
      await settle();
      pending = { finish, step: index, size: batch.length };
      if (this.isOverBudget()) {
        this.stopped = 'budget';
        break;
      }
      if (this.clock?.isDue) {
        await settle();
        await this.clock.during(() => this.save({ epoch, batches: index, lossSum, correct, seen }));
      }
    }
    await settle();
    return seen === 0 ? null : { loss: lossSum / seen, accuracy: correct / seen };
  }

  private async save(
    place: Pick<TrainingCheckpoint, 'epoch' | 'batches' | 'lossSum' | 'correct' | 'seen'>,
  ): Promise<void> {
    const { secondsFeatures, secondsTrain, best } = this;
    const { tensors } = await this.head.save();
    const times = { steps: this.steps, secondsFeatures, secondsTrain };
    await this.request.checkpoints?.save({ ...place, ...times, best, tensors });
  }

  private async validate(): Promise<Measured> {
    const { validation } = this.request;
    let lossSum = 0;
    let correct = 0;
    const size = this.head.evaluationBatch;
    let pending: ReturnType<TrainableHead['evaluateBatch']> | null = null;
    const settle = async () => {
      const result = await pending?.();
      pending = null;
      lossSum += result?.lossSum ?? 0;
      correct += result?.correct ?? 0;
    };
    // The last batch is filled with its first picture, which then counts once.
    const load = (batch: readonly Sample[]) =>
      this.source.load(Array.from({ length: size }, (_, index) => (batch[index] ?? (batch[0] as Sample)).hash));
    for await (const [batch, inputs] of ahead(batchesOf(validation, size), BATCHES_AHEAD, load)) {
      const labels = new Uint32Array(size).fill(IGNORED_LABEL);
      labels.set(batch.map(({ label }) => label));
      const finish = this.head.evaluateBatch(inputs, labels);
      await settle();
      pending = finish;
    }
    await settle();
    return { loss: lossSum / validation.length, accuracy: correct / validation.length };
  }
}

const isBetter = (a: Measured, b: Measured): boolean =>
  a.accuracy > b.accuracy || (a.accuracy === b.accuracy && a.loss < b.loss);
