import type { DeviceTensor, Engine } from '../kernels/engine.js';
import { softmaxCrossEntropy } from '../kernels/ops/losses/crossEntropy.js';
import { flatten } from '../kernels/ops/flatten/flatten.js';
import { multiplyScalars } from '../kernels/ops/multiplyScalars/multiplyScalars.js';
import type { Optimizer } from '../kernels/ops/optimizer/optimizer.js';
import { addWeighted } from '../kernels/ops/weightedSum/weightedSum.js';
import { PlanBuilder } from '../kernels/planBuilder.js';
import type { Tensor } from '../kernels/tensor.js';
import type { Network, Weights } from '../models/network.js';
import type { DeviceWeights } from './deviceWeights.js';
import { buildForward } from './forward.js';
import type { HeadSource } from './headInputs.js';
import { ancestors, logitsLayer } from './inference.js';
import { type Partition, trainedWeights } from './partition.js';
import type { StepInputs } from './trainingInputs.js';
import { activationType, type TrainingOptions } from './types.js';

/** What the plans of a head are built from. */
export interface HeadParts {
  readonly engine: Engine;
  readonly network: Network;
  readonly weights: Weights;
  readonly partition: Partition;
  /** Gives the head its inputs. */
  readonly source: HeadSource;
  /** Gives them to it in training. */
  readonly training: StepInputs;
  readonly options: TrainingOptions;
  /** Factor of each class in the training loss, [C]; null: 1. */
  readonly classWeights: DeviceTensor | null;
  readonly device: DeviceWeights;
  readonly optimizer: Optimizer;
}

/** Names of the parameters that the head trains, with their layers' learning-rate factors, and of the statistics that move. */
export function trainedNames(partition: Partition) {
  const layers = partition.head.map((layer) => ({ layer, ...trainedWeights(layer) }));
  return {
    parameters: layers.flatMap(({ layer, parameters }) =>
      parameters.map((name) => ({ name, factor: layer.learningRateFactor })),
    ),
    statistics: layers.flatMap(({ statistics }) => statistics),
  };
}

function begin({ engine, options, optimizer }: HeadParts): PlanBuilder {
  const b = new PlanBuilder(engine, { activationType: activationType(options) });
  optimizer.addCasts(b);
  return b;
}

interface Logits {
  readonly main: Tensor;
  /** Of the auxiliary heads, with the weights of their losses. */
  readonly auxiliary: readonly { readonly logits: Tensor; readonly lossWeight: number }[];
}

/** Evaluation leaves the auxiliary heads out. */
function addLogits(b: PlanBuilder, parts: HeadParts, size: number, mode: 'train' | 'eval', step?: Tensor): Logits {
  const { network, weights, device, partition, source, training, options } = parts;
  const name = logitsLayer(network);
  const auxiliary = mode === 'train' ? partition.auxiliary : [];
  const keep = new Set([name, ...auxiliary.map(({ layer }) => layer)]);
  const needed = new Set(ancestors(network, [...keep]));
  const values = buildForward(b, network, weights, device, {
    layers: partition.head.filter((layer) => needed.has(layer)),
    values: (mode === 'train' ? training : source).addInputs(b, size),
    keep,
    mode,
    step,
    weightsAreFixed: false,
    recompute: mode === 'train' && options.recomputeActivations,
  });
  const logits = (layer: string): Tensor => {
    const value = values.get(layer) as Tensor;
    return value.shape.length === 4 ? flatten(b, value) : value;
  };
  return {
    main: logits(name),
    auxiliary: auxiliary.map(({ layer, lossWeight }) => ({ logits: logits(layer), lossWeight })),
  };
}

/**
 * Forward and backward pass of `size` pictures, a whole batch or one part of it. The loss is that of the logits and the weighted
 * ones of the auxiliary outputs. Inputs: what the head reads, `labels` (`targets`
 * [N, classes] where the pictures are mixed), `step`
 * [seed, step, first picture of the part, 0], `share` (the part's share of the batch's loss). With `updates` the parameters are
 * updated as well (input `learningRate`); else the gradients are added to those of the other parts (input `isFirst`).
 */
export function buildTrainingPlan(parts: HeadParts, size: number, updates: boolean): PlanBuilder {
  const { options, optimizer, device, partition, training, classWeights } = parts;
  const b = begin(parts);
  const dense = { layout: 'dense' } as const;
  const step = b.input('step', [4], { dtype: 'u32', ...dense });
  const share = b.input('share', [1], dense);
  const { main, auxiliary } = addLogits(b, parts, size, 'train', step);
  const targets = training.mixesTargets
    ? b.input('targets', main.shape)
    : b.input('labels', [size], { dtype: 'u32', ...dense });
  const lossOptions = {
    labelSmoothing: options.labelSmoothing,
    classWeights: classWeights && b.persistent(classWeights),
  };
  const { loss: mainLoss, correct } = softmaxCrossEntropy(b, main, targets, lossOptions);
  let loss = mainLoss;
  for (const { logits, lossWeight } of auxiliary) {
    loss = addWeighted(b, loss, softmaxCrossEntropy(b, logits, targets, lossOptions).loss, lossWeight);
  }
  const scale = optimizer.lossScale;
  const gradients = b.backward(loss, scale ? multiplyScalars(b, share, b.persistent(scale)) : share);
  const found = new Map<string, Tensor>();
  for (const { name } of trainedNames(partition).parameters) {
    // In mixed precision the layers read the float16 copy where there is one in use.
    const gradient =
      gradients.get(b.persistent(device.get(name))) ??
      (optimizer.halves && gradients.get(b.persistent(device.get(name, 'f16'))));
    if (gradient) found.set(name, gradient);
  }
  optimizer.addGradients(b, found);
  if (updates) optimizer.addUpdate(b, b.input('learningRate', [1], dense));
  else optimizer.addAccumulation(b, b.input('isFirst', [1], { dtype: 'u32', ...dense }));
  b.output('loss', loss);
  b.output('correct', correct);
  return b;
}

/** The update from accumulated gradients. Input: `learningRate`. */
export function buildUpdatePlan({ engine, optimizer }: HeadParts): PlanBuilder {
  const b = new PlanBuilder(engine);
  optimizer.addUpdate(b, b.input('learningRate', [1], { layout: 'dense' }));
  return b;
}

/** Loss of each picture and number of right answers of `size` pictures; nothing changes. */
export function buildEvaluationPlan(parts: HeadParts, size: number): PlanBuilder {
  const b = begin(parts);
  const labels = b.input('labels', [size], { dtype: 'u32', layout: 'dense' });
  const { main } = addLogits(b, parts, size, 'eval');
  const { perSample, correct } = softmaxCrossEntropy(b, main, labels, { labelSmoothing: 0 });
  b.output('perSample', perSample);
  b.output('correct', correct);
  return b;
}
