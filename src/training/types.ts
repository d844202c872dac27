/** What a run is told and what it reports; everything here is plain data that is stored with the run. */

import type { AugmentationPolicy } from './augmentation/policy.js';

export type Precision = 'float32' | 'mixed';
export type OptimizerName = 'sgd' | 'adam' | 'adamw';

/** Every option of a run, defaults filled in: enough, with revision, data-set version and adapter, to repeat it. */
export interface TrainingOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly optimizer: OptimizerName;
  /** SGD only. */
  readonly momentum: number;
  readonly nesterov: boolean;
  /** SGD and Adam: added to the gradient (L2). AdamW: decoupled (Loshchilov and Hutter 2019). */
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  /** Weighs each class's pictures in the loss so that all classes count alike: see `weightsOfClasses`. Not with `classWeights`. */
  readonly balanceClasses: boolean;
  /**
   * Factor of each class in the training loss, in the order of the network's classes; the mean is over the sum of the weights.
   * Null: 1. Validation and evaluation weigh nothing.
   */
  readonly classWeights: readonly number[] | null;
  /** Largest global L2 norm of the gradient; null does not clip. */
  readonly gradientClipNorm: number | null;
  readonly seed: number;
  /**
   * `mixed` stores activations and the layers' copies of weights in float16 and scales the loss; sums, updates and the weights
   * themselves stay in float32 (Micikevicius et al. 2018). Needs an adapter with shader-f16.
   */
  readonly precision: Precision;
  /** Computes activations again in the backward pass instead of keeping them: less memory, more time, the same result. */
  readonly recomputeActivations: boolean;
  /** MiB of GPU memory that the run may take; a batch that does not fit is computed in parts. Null: what the device allows. */
  readonly memoryLimitMiB: number | null;
  /** Computes the frozen trunk's features once per picture, and keeps them for later runs. Never changes a result. */
  readonly cacheFeatures: boolean;
  /** How training pictures vary; null: not at all. */
  readonly augmentation: AugmentationPolicy | null;
  /** Ends the run after the step in which this many seconds of training are over; null trains all epochs. */
  readonly maxSeconds: number | null;
}

/** In which float type activations are stored. */
export const activationType = ({ precision }: Pick<TrainingOptions, 'precision'>): 'f32' | 'f16' =>
  precision === 'mixed' ? 'f16' : 'f32';

export const DEFAULT_TRAINING_OPTIONS: TrainingOptions = {
  epochs: 10,
  batchSize: 32,
  learningRate: 0.001,
  optimizer: 'adam',
  momentum: 0.9,
  nesterov: false,
  weightDecay: 0,
  labelSmoothing: 0,
  balanceClasses: false,
  classWeights: null,
  gradientClipNorm: null,
  seed: 1,
  precision: 'float32',
  recomputeActivations: false,
  memoryLimitMiB: null,
  cacheFeatures: true,
  augmentation: null,
  maxSeconds: null,
};

export type Split = 'train' | 'validation' | 'test';

/** One picture of a data-set version. */
export interface Sample {
  /** SHA-256 of the picture file, hex. */
  readonly hash: string;
  readonly label: number;
}

/** Decoded pictures as the network wants them: N x H x W x 3 bytes, RGB, already at the network's input size. */
export interface PictureSource {
  /**
   * Stands for everything but the files that the bytes depend on: preprocessing, decoder and its version. Without it, nothing that is
   * computed from the pictures is kept beyond a run.
   */
  readonly decoding?: string;
  /** Decodes and resizes `hashes`, in order; rejects with the hash of the first picture that cannot be read. */
  load(hashes: readonly string[]): Promise<Uint8Array>;
}

/** How a run was laid out on the device. */
export interface CompiledRun {
  /** Pictures that are computed at a time, at most. */
  readonly partSize: number;
  /** Parts of a batch, whose gradients are added up before the update. */
  readonly parts: number;
  /** Compute dispatches of one training step. */
  readonly dispatchesPerStep: number;
  /** GPU memory in use once everything is in place. */
  readonly deviceBytes: number;
  /** Time for compiling the training plans and running each once, `tuningSeconds` included. */
  readonly seconds: number;
  /** Time for measuring kernels that had not been measured on this device. */
  readonly tuningSeconds: number;
}

export type ProgressEvent =
  | ({ readonly type: 'compiled' } & CompiledRun)
  /** The run goes on from a checkpoint of an earlier try: within `epoch`, whose first `step` steps are done. */
  | { readonly type: 'resumed'; readonly epoch: number; readonly step: number }
  | { readonly type: 'phase'; readonly phase: 'compiling' | 'features' | 'training' | 'evaluating' }
  /** Feature extraction or evaluation: pictures done of all. */
  | {
      readonly type: 'pictures';
      readonly done: number;
      readonly total: number;
      readonly picturesPerSecond: number;
      readonly etaSeconds: number | null;
    }
  /** At most about five a second, plus the last of each epoch. */
  | {
      readonly type: 'step';
      readonly epoch: number;
      readonly epochs: number;
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      readonly accuracy: number;
      readonly learningRate: number;
      readonly picturesPerSecond: number;
      readonly etaSeconds: number | null;
    }
  | {
      readonly type: 'epoch';
      readonly epoch: number;
      readonly epochs: number;
      readonly trainLoss: number;
      readonly trainAccuracy: number;
      readonly validationLoss: number | null;
      readonly validationAccuracy: number | null;
      readonly seconds: number;
    };

export interface ClassMetrics {
  readonly label: string;
  readonly support: number;
  /** Null where the denominator is zero. */
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
}

export interface EvaluationResult {
  readonly pictures: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly topK: readonly { readonly k: number; readonly accuracy: number }[];
  readonly classes: readonly ClassMetrics[];
  /** confusion[actual][predicted], counts. */
  readonly confusion: readonly (readonly number[])[];
}

export interface Prediction {
  readonly label: string;
  readonly index: number;
  readonly probability: number;
}
