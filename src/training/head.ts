import type { DeviceTensor, Engine } from '../kernels/engine.js';
import { softmaxCrossEntropy } from '../kernels/ops/losses/crossEntropy.js';
import { flatten } from '../kernels/ops/flatten/flatten.js';
import { adamUpdate, globalNormScale, sgdUpdate } from '../kernels/ops/optimizer/optimizer.js';
import { type Plan } from '../kernels/plan.js';
import { PlanBuilder } from '../kernels/planBuilder.js';
import type { Shape, Tensor } from '../kernels/tensor.js';
import type { Network, Weights } from '../models/network.js';
import { DeviceWeights } from './deviceWeights.js';
import type { HeadInputs } from './features.js';
import { buildForward } from './forward.js';
import { inputLayer, logitsLayer, pictureInput } from './inference.js';
import { type Partition, trainedWeights } from './partition.js';
import type { TrainingOptions } from './types.js';

/** Labels of a batch's padding: such a picture counts neither in the loss nor in the accuracy. */
export const IGNORED_LABEL = 0xffffffff;

/** Adam's constants (Kingma and Ba 2015, algorithm 1). */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

interface Trained {
  readonly name: string;
  readonly factor: number;
  /** SGD: momentum. Adam: first and second moment. */
  readonly state: readonly DeviceTensor[];
}

export interface BatchResult {
  /** Mean over the batch. */
  readonly loss: number;
  readonly correct: number;
}

/** The part of a network that trains, on the device: weights, optimiser state and a plan for each batch size in use. */
export class TrainableHead {
  private readonly device: DeviceWeights;
  private readonly trained: readonly Trained[];
  private readonly statistics: readonly string[];
  private readonly trainPlans = new Map<number, Plan>();
  private evalPlan: Plan | null = null;
  private steps = 0;

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    private readonly weights: Weights,
    private readonly partition: Partition,
    private readonly inputShapes: ReadonlyMap<string, Shape> | null,
    private readonly options: TrainingOptions,
  ) {
    this.device = new DeviceWeights(engine, weights);
    const layers = partition.head.map((layer) => ({ layer, ...trainedWeights(layer) }));
    this.statistics = layers.flatMap(({ statistics }) => statistics);
    this.trained = layers.flatMap(({ layer, parameters }) =>
      parameters.map((name) => ({ name, factor: layer.learningRateFactor, state: this.createState(name) })),
    );
  }

  private createState(name: string): DeviceTensor[] {
    const { shape } = this.device.get(name);
    const count = this.options.optimizer === 'sgd' ? (this.options.momentum > 0 ? 1 : 0) : 2;
    return Array.from({ length: count }, (_, i) => this.engine.createTensor(`${name} state ${i}`, shape));
  }

  /** Compiles the plans for the given batch sizes, so that training starts warm. */
  async compile(trainBatchSizes: readonly number[], evalBatchSize: number | null): Promise<void> {
    for (const size of new Set(trainBatchSizes)) {
      if (!this.trainPlans.has(size)) this.trainPlans.set(size, await this.compileTrain(size));
    }
    if (evalBatchSize !== null) this.evalPlan ??= await this.compileEval(evalBatchSize);
  }

  get dispatchesPerStep(): number {
    return Math.max(0, ...[...this.trainPlans.values()].map((plan) => plan.dispatchCount));
  }

  private inputs(b: PlanBuilder, batchSize: number): Map<string, Tensor> {
    if (this.inputShapes === null) {
      return new Map([[inputLayer(this.network).name, pictureInput(b, this.network, batchSize)]]);
    }
    return new Map([...this.inputShapes].map(([name, shape]) => [name, b.input(name, [batchSize, ...shape])]));
  }

  private logits(b: PlanBuilder, batchSize: number, mode: 'train' | 'eval', step?: Tensor): Tensor {
    const name = logitsLayer(this.network);
    const values = buildForward(b, this.network, this.weights, this.device, {
      layers: this.partition.head,
      values: this.inputs(b, batchSize),
      keep: new Set([name]),
      mode,
      step,
      weightsAreFixed: false,
    });
    const logits = values.get(name) as Tensor;
    return logits.shape.length === 4 ? flatten(b, logits) : logits;
  }

  private async compileTrain(batchSize: number): Promise<Plan> {
    const b = new PlanBuilder(this.engine);
    const step = b.input('step', [4], { dtype: 'u32', layout: 'dense' });
    const hyper = b.input('hyper', [8], { layout: 'dense' });
    const labels = b.input('labels', [batchSize], { dtype: 'u32', layout: 'dense' });
    const logits = this.logits(b, batchSize, 'train', step);
    const { labelSmoothing, gradientClipNorm } = this.options;
    const { loss, correct } = softmaxCrossEntropy(b, logits, labels, { labelSmoothing });
    const gradients = b.backward(loss);
    const updates = this.trained.flatMap((parameter) => {
      const tensor = b.persistent(this.device.get(parameter.name));
      const gradient = gradients.get(tensor);
      return gradient ? [{ ...parameter, tensor, gradient }] : [];
    });
    const scale =
      gradientClipNorm === null || updates.length === 0
        ? null
        : globalNormScale(
            b,
            updates.map(({ gradient }) => gradient),
            gradientClipNorm,
          );
    for (const update of updates) this.update(b, update, hyper, scale);
    b.output('loss', loss);
    b.output('correct', correct);
    return b.compile();
  }

  private update(
    b: PlanBuilder,
    { tensor, gradient, factor, state }: Trained & { readonly tensor: Tensor; readonly gradient: Tensor },
    hyper: Tensor,
    scale: Tensor | null,
  ): void {
    const { optimizer, momentum, nesterov, weightDecay } = this.options;
    const [first, second] = state.map((storage) => b.persistent(storage));
    if (optimizer === 'sgd') {
      const attributes = { momentum, nesterov, weightDecay, learningRateFactor: factor };
      sgdUpdate(b, tensor, gradient, first ?? null, hyper, attributes, scale);
    } else {
      adamUpdate(
        b,
        tensor,
        gradient,
        first as Tensor,
        second as Tensor,
        hyper,
        {
          beta1: BETA1,
          beta2: BETA2,
          epsilon: EPSILON,
          weightDecay,
          decoupled: optimizer === 'adamw',
          learningRateFactor: factor,
        },
        scale,
      );
    }
  }

  private async compileEval(batchSize: number): Promise<Plan> {
    const b = new PlanBuilder(this.engine);
    const labels = b.input('labels', [batchSize], { dtype: 'u32', layout: 'dense' });
    const logits = this.logits(b, batchSize, 'eval');
    const { perSample, correct } = softmaxCrossEntropy(b, logits, labels, { labelSmoothing: 0 });
    b.output('perSample', perSample);
    b.output('correct', correct);
    return b.compile();
  }

  /** Submits one training step. The returned function waits for its loss and its number of right answers. */
  trainStep(inputs: HeadInputs, labels: Uint32Array, learningRate: number): () => Promise<BatchResult> {
    const plan = this.trainPlans.get(labels.length) as Plan;
    this.steps++;
    const hyper = new Float32Array(8);
    hyper.set([learningRate, 1 - BETA1 ** this.steps, 1 - BETA2 ** this.steps]);
    const step = Uint32Array.of(this.options.seed, this.steps, 0, 0);
    const finish = plan.run({ ...inputs, labels, hyper, step });
    return async () => {
      const { loss, correct } = await finish();
      return { loss: loss?.[0] as number, correct: correct?.[0] as number };
    };
  }

  /** Sum of the losses and number of right answers; labels of padding are `IGNORED_LABEL`. Changes nothing. */
  evaluateBatch(inputs: HeadInputs, labels: Uint32Array): () => Promise<{ lossSum: number; correct: number }> {
    const finish = (this.evalPlan as Plan).run({ ...inputs, labels });
    return async () => {
      const { perSample, correct } = await finish();
      let lossSum = 0;
      for (const loss of perSample as Float32Array) lossSum += loss;
      return { lossSum, correct: correct?.[0] as number };
    };
  }

  /** The network's weights with what the head has learned so far. */
  async snapshot(): Promise<Weights> {
    const learned = await this.device.read([...this.trained.map(({ name }) => name), ...this.statistics]);
    return new Map([...this.weights].map(([name, weight]) => [name, learned.get(name) ?? weight]));
  }

  dispose(): void {
    for (const plan of this.trainPlans.values()) plan.dispose();
    this.evalPlan?.dispose();
    for (const { state } of this.trained) for (const tensor of state) this.engine.destroyTensor(tensor);
    this.device.dispose();
  }
}
