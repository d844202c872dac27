import { Arena, arenaBytes } from '../kernels/arena.js';
import type { DeviceTensor, Engine } from '../kernels/engine.js';
import { EngineError } from '../kernels/errors.js';
import { Optimizer, type OptimizerOptions } from '../kernels/ops/optimizer/optimizer.js';
import type { Plan } from '../kernels/plan.js';
import type { PlanBuilder } from '../kernels/planBuilder.js';
import { tuned } from '../kernels/tuner.js';
import type { Network, Weights } from '../models/network.js';
import { partCounts, partsOfBatch, slicePictures } from './batchParts.js';
import { sumOfWeights } from './classWeights.js';
import { take, type TrainingCheckpoint } from './checkpoint.js';
import { DeviceWeights } from './deviceWeights.js';
import { TrainingError } from './errors.js';
import { weightOf } from './fold.js';
import { buildEvaluationPlan, buildTrainingPlan, buildUpdatePlan, type HeadParts, trainedNames } from './headPlans.js';
import type { HeadInputs, HeadSource } from './headInputs.js';
import type { Partition } from './partition.js';
import type { StepInputs } from './trainingInputs.js';
import type { CompiledRun, TrainingOptions } from './types.js';

/** Labels of a batch's padding: such a picture counts neither in the loss nor in the accuracy. */
export const IGNORED_LABEL = 0xffffffff;

/** Adam's constants (Kingma and Ba 2015, algorithm 1). */
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
/** Most pictures between two looks of validation at the GPU; padding fills the last batch. */
const MAX_EVALUATION_BATCH = 32;
/** Readings of a plan's outputs that are under way at a time. */
const READINGS = 2;

export interface BatchResult {
  /** Mean over the batch. */
  readonly loss: number;
  readonly correct: number;
}

interface Compiled {
  readonly parts: HeadParts;
  readonly arena: Arena;
  readonly training: ReadonlyMap<number, Plan>;
  /** Null where a training plan updates the parameters itself. */
  readonly update: Plan | null;
  readonly evaluation: Plan | null;
  readonly largestPart: number;
  readonly evaluationBatch: number;
}

/** The part of a network that trains, on the device: weights, optimiser state and a plan for each batch size in use. */
export class TrainableHead {
  private compiled: Compiled | null = null;
  private steps = 0;

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    private readonly weights: Weights,
    private readonly partition: Partition,
    private readonly source: HeadSource,
    private readonly options: TrainingOptions,
    /** Factor of each class in the training loss; null: 1. */
    private readonly classWeights: Float32Array<ArrayBuffer> | null = null,
    private readonly training: StepInputs = {
      mixesTargets: false,
      addInputs: (b, size) => source.addInputs(b, size),
    },
  ) {}

  /**
   * Compiles the plans for the given batch sizes and runs each once, so that training starts at full speed: some drivers make
   * machine code only when a pipeline runs for the first time. A batch is one part
   * where the device and `memoryLimitMiB` allow, else as few parts as do, whose gradients are added up: the gradients are the
   * same, except that batch norms that train normalise by each part's own statistics.
   *
   * Throws `TrainingError` MEMORY_LIMIT where not even single pictures fit the limit, and `EngineError` where they do not fit
   * the device.
   */
  async compile(batchSizes: readonly number[], evaluates: boolean): Promise<CompiledRun> {
    const started = performance.now();
    const tunedBefore = this.engine.tuner?.totals.milliseconds ?? 0;
    const largestBatch = Math.max(...batchSizes);
    let failure: unknown = null;
    for (const count of partCounts(largestBatch)) {
      try {
        this.compiled = await this.attempt(batchSizes, Math.ceil(largestBatch / count), count > 1, evaluates);
        break;
      } catch (error) {
        if (!isTooLarge(error)) throw error;
        failure = error;
      }
    }
    if (!this.compiled) throw failure;
    await this.warm(this.compiled);
    const { training, update, largestPart } = this.compiled;
    const parts = partsOfBatch(largestBatch, largestPart);
    const dispatches = parts.reduce((sum, size) => sum + (training.get(size) as Plan).dispatchCount, 0);
    return {
      partSize: largestPart,
      parts: parts.length,
      dispatchesPerStep: dispatches + (update?.dispatchCount ?? 0),
      deviceBytes: this.engine.memory.bytes,
      seconds: (performance.now() - started) / 1000,
      tuningSeconds: ((this.engine.tuner?.totals.milliseconds ?? 0) - tunedBefore) / 1000,
    };
  }

  private createParts(accumulates: boolean): HeadParts {
    const { engine, network, weights, partition, source, training, options } = this;
    const parameters = trainedNames(partition).parameters.map(({ name, factor }) => ({
      name,
      shape: weightOf(weights, name).shape,
      learningRateFactor: factor,
      weightDecay: options.weightDecay,
    }));
    const optimizer = new Optimizer(engine, parameters, { ...optimizerOptions(options), accumulates });
    const device = new DeviceWeights(engine, weights, (name, dtype) =>
      (dtype === 'f16' ? optimizer.halves : optimizer.values)?.get(name),
    );
    let classWeights: DeviceTensor | null = null;
    if (this.classWeights) {
      classWeights = engine.createTensor('class weights', [this.classWeights.length]);
      engine.write(classWeights, this.classWeights);
    }
    return { engine, network, weights, partition, source, training, options, classWeights, device, optimizer };
  }

  /**
   * Bytes of GPU memory that the run would take with these batches computed whole, everything on the device included. Nothing
   * is compiled.
   */
  estimateBytes(batchSizes: readonly number[], evaluates: boolean): number {
    const parts = this.createParts(false);
    try {
      return this.bytesOf(buildPlans(parts, batchSizes, Math.max(...batchSizes), false, evaluates));
    } finally {
      dispose(parts, null, []);
    }
  }

  private async attempt(
    batchSizes: readonly number[],
    largestPart: number,
    accumulates: boolean,
    evaluates: boolean,
  ): Promise<Compiled> {
    const { engine } = this;
    const parts = this.createParts(accumulates);
    const arena = new Arena(engine);
    const plans: Plan[] = [];
    try {
      const builders = await tuned(engine, () => buildPlans(parts, batchSizes, largestPart, accumulates, evaluates));
      this.checkMemory(builders, largestPart);
      const compile = async (builder: PlanBuilder): Promise<Plan> => {
        const plan = await builder.compile({ arena });
        plans.push(plan);
        return plan;
      };
      // One after the other, the largest first: so the arena needs no more than that one.
      const training = new Map<number, Plan>();
      for (const [size, builder] of builders.training) training.set(size, await compile(builder));
      const evaluation = builders.evaluation && (await compile(builders.evaluation));
      const update = builders.update && (await compile(builders.update));
      return { parts, arena, training, update, evaluation, largestPart, evaluationBatch: builders.evaluationBatch };
    } catch (error) {
      dispose(parts, arena, plans);
      throw error;
    }
  }

  /** Plans run in turns, so their temporaries share an arena; everything else adds up. */
  private bytesOf({ training, evaluation, update }: PlanBuilders): number {
    // In the order in which they are compiled.
    const builders = [...training.values(), ...[evaluation, update].filter((builder) => builder !== null)];
    const memories = builders.map((builder) => builder.memory());
    const arena = arenaBytes(memories.map(({ slots }) => slots));
    return memories.reduce(
      (sum, { inputs, uniforms, readback }) => sum + inputs + uniforms + READINGS * readback,
      this.engine.memory.bytes + arena,
    );
  }

  private checkMemory(builders: PlanBuilders, largestPart: number): void {
    const limit = this.options.memoryLimitMiB;
    if (limit === null) return;
    const bytes = this.bytesOf(builders);
    if (bytes <= limit * 2 ** 20) return;
    const needed = Math.ceil(bytes / 2 ** 20);
    throw new TrainingError(
      'MEMORY_LIMIT',
      `With ${largestPart} picture(s) at a time this run needs ${needed} MiB of GPU memory; memoryLimitMiB is ${limit}. Raise it, freeze more layers, or set recomputeActivations.`,
    );
  }

  /** Runs every plan on nothing, with all parameters zero, then sets everything to where training begins. */
  private async warm({ parts, training, update, evaluation }: Compiled): Promise<void> {
    const { engine, weights, partition } = this;
    const { optimizer, device } = parts;
    const rate = Float32Array.of(0);
    for (const [size, plan] of training) {
      const labels = new Uint32Array(size).fill(IGNORED_LABEL);
      await plan.run({ ...this.targets(labels), ...(update ? {} : { learningRate: rate }) })();
    }
    await update?.run({ learningRate: rate })();
    await evaluation?.run()();
    const { parameters, statistics } = trainedNames(partition);
    optimizer.reset(new Map(parameters.map(({ name }) => [name, weightOf(weights, name).data])));
    for (const name of statistics) engine.write(device.get(name), weightOf(weights, name).data);
    await engine.idle();
  }

  private get ready(): Compiled {
    if (!this.compiled) throw new EngineError('INVALID_ARGUMENT', 'The head is not compiled.');
    return this.compiled;
  }

  /** Pictures of one evaluated batch. */
  get evaluationBatch(): number {
    return this.ready.evaluationBatch;
  }

  /** Labels, where the training plans read them: mixed pictures bring targets of their own along. */
  private targets(labels: Uint32Array): Record<string, Uint32Array> {
    return this.training.mixesTargets ? {} : { labels };
  }

  /** Sizes of the parts in which a batch is computed. */
  partSizes(batchSize: number): number[] {
    return partsOfBatch(batchSize, this.ready.largestPart);
  }

  /** Submits one training step. The returned function waits for its loss and its number of right answers. */
  trainStep(inputs: HeadInputs, labels: Uint32Array, learningRate: number): () => Promise<BatchResult> {
    const { training, update, largestPart } = this.ready;
    this.steps++;
    const rate = Float32Array.of(learningRate);
    const count = labels.length;
    // With mixed targets the mean is over the pictures, whatever their classes weigh.
    const weights = this.training.mixesTargets ? null : this.classWeights;
    const whole = sumOfWeights(labels, weights);
    let first = 0;
    const readings = partsOfBatch(count, largestPart).map((size) => {
      const part = labels.subarray(first, first + size);
      const share = sumOfWeights(part, weights) / whole;
      const finish = (training.get(size) as Plan).run({
        ...(size === count ? inputs : slicePictures(inputs, count, first, first + size)),
        ...this.targets(part),
        step: Uint32Array.of(this.options.seed, this.steps, first, 0),
        share: Float32Array.of(share),
        ...(update ? { isFirst: Uint32Array.of(first === 0 ? 1 : 0) } : { learningRate: rate }),
      });
      first += size;
      return { share, finish };
    });
    update?.run({ learningRate: rate });
    return async () => {
      let loss = 0;
      let correct = 0;
      for (const { share, finish } of readings) {
        const outputs = await finish();
        loss += share * (outputs.loss?.[0] as number);
        correct += outputs.correct?.[0] as number;
      }
      return { loss, correct };
    };
  }

  /** Sum of the losses and number of right answers; labels of padding are `IGNORED_LABEL`. Changes nothing. */
  evaluateBatch(inputs: HeadInputs, labels: Uint32Array): () => Promise<{ lossSum: number; correct: number }> {
    const finish = (this.ready.evaluation as Plan).run({ ...inputs, labels });
    return async () => {
      const { perSample, correct } = await finish();
      let lossSum = 0;
      for (const loss of perSample as Float32Array) lossSum += loss;
      return { lossSum, correct: correct?.[0] as number };
    };
  }

  /** Updates that mixed precision skipped so far because a gradient was not finite; 0 in float32. */
  async skippedUpdates(): Promise<number> {
    return this.options.precision === 'mixed' ? this.ready.parts.optimizer.skippedUpdates() : 0;
  }

  /** The network's weights with what the head has learned so far. */
  async snapshot(): Promise<Weights> {
    return this.withLearned(await this.learned());
  }

  /** All that the next step depends on; `restore` brings it back, to the bit. */
  async save(): Promise<{ readonly steps: number; readonly tensors: Map<string, Float32Array> }> {
    const { optimizer, device } = this.ready.parts;
    const tensors = new Map<string, Float32Array>(await optimizer.save());
    const statistics = await device.read(trainedNames(this.partition).statistics);
    for (const [name, { data }] of statistics) tensors.set(statisticKey(name), data);
    return { steps: this.steps, tensors };
  }

  /** Throws CHECKPOINT_MISMATCH where the tensors are not those of this run. */
  restore({ steps, tensors }: Pick<TrainingCheckpoint, 'steps' | 'tensors'>): void {
    const { optimizer, device } = this.ready.parts;
    optimizer.restore((name, length) => take(tensors, name, length));
    for (const name of trainedNames(this.partition).statistics) {
      this.engine.write(device.get(name), take(tensors, statisticKey(name), weightOf(this.weights, name).data.length));
    }
    this.steps = steps;
  }

  /** The weights that the head trains, as they are now. */
  async learned(): Promise<Map<string, Float32Array>> {
    const { parameters, statistics } = trainedNames(this.partition);
    const read = await this.ready.parts.device.read([...parameters.map(({ name }) => name), ...statistics]);
    return new Map(Array.from(read, ([name, { data }]) => [name, data]));
  }

  /** The network's weights with those that were learned in the place of their own. */
  withLearned(learned: ReadonlyMap<string, Float32Array>): Weights {
    return new Map(
      Array.from(this.weights, ([name, { shape, data }]) => [name, { shape, data: learned.get(name) ?? data }]),
    );
  }

  dispose(): void {
    if (!this.compiled) return;
    const { parts, arena, training, update, evaluation } = this.compiled;
    dispose(parts, arena, [...training.values(), ...[update, evaluation].filter((plan) => plan !== null)]);
    this.compiled = null;
  }
}

const statisticKey = (name: string): string => `statistic ${name}`;

interface PlanBuilders {
  readonly training: ReadonlyMap<number, PlanBuilder>;
  readonly update: PlanBuilder | null;
  readonly evaluation: PlanBuilder | null;
  readonly evaluationBatch: number;
}

function buildPlans(
  parts: HeadParts,
  batchSizes: readonly number[],
  largestPart: number,
  accumulates: boolean,
  evaluates: boolean,
): PlanBuilders {
  const sizes = [...new Set(batchSizes.flatMap((size) => partsOfBatch(size, largestPart)))].sort((a, b) => b - a);
  const evaluationBatch = Math.min(MAX_EVALUATION_BATCH, largestPart);
  return {
    training: new Map(sizes.map((size) => [size, buildTrainingPlan(parts, size, !accumulates)])),
    update: accumulates ? buildUpdatePlan(parts) : null,
    evaluation: evaluates ? buildEvaluationPlan(parts, evaluationBatch) : null,
    evaluationBatch,
  };
}

function dispose(
  { engine, classWeights, device, optimizer }: HeadParts,
  arena: Arena | null,
  plans: readonly Plan[],
): void {
  for (const plan of plans) plan.dispose();
  arena?.dispose();
  device.dispose();
  optimizer.dispose();
  if (classWeights) engine.destroyTensor(classWeights);
}

const isTooLarge = (error: unknown): boolean =>
  (error instanceof EngineError && (error.code === 'OUT_OF_MEMORY' || error.code === 'LIMIT_EXCEEDED')) ||
  (error instanceof TrainingError && error.code === 'MEMORY_LIMIT');

function optimizerOptions(options: TrainingOptions): Omit<OptimizerOptions, 'accumulates'> {
  const { optimizer, momentum, nesterov, gradientClipNorm, precision } = options;
  return {
    rule: optimizer === 'sgd' ? { kind: 'sgd', momentum, nesterov } : { kind: optimizer, ...ADAM },
    clipNorm: gradientClipNorm,
    mixedPrecision: precision === 'mixed',
  };
}
