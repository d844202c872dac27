import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import {
  OptimizerEnum,
  PrecisionEnum,
  type RunEventKind,
  RunEventKindEnum,
  RunPhaseEnum,
  RunStateEnum,
} from '../enums.js';
import { connectionType } from '../pagination.js';
import { DateTime } from '../scalars.js';
import { Augmentation } from './augmentation.js';

@ObjectType('TrainingOptions', { description: 'Every option of a run.' })
export class TrainingOptionsType {
  @Field(() => Int, { description: 'Passes over the training pictures.' })
  epochs!: number;

  @Field(() => Int, { description: 'Pictures a step.' })
  batchSize!: number;

  @Field(() => Float, { description: 'Step size.' })
  learningRate!: number;

  @Field(() => OptimizerEnum, { description: 'How gradients become updates.' })
  optimizer!: string;

  @Field(() => Float, { description: 'Momentum of SGD.' })
  momentum!: number;

  @Field({ description: "Nesterov's momentum, for SGD." })
  nesterov!: boolean;

  @Field(() => Float, { description: 'Weight decay; decoupled for ADAMW.' })
  weightDecay!: number;

  @Field(() => Float, { description: 'Probability that is spread over all classes in the target.' })
  labelSmoothing!: number;

  @Field({ description: "Weighs the classes in the loss by the inverse of their pictures' number." })
  balanceClasses!: boolean;

  @Field(() => [Float], {
    nullable: true,
    description: "Weight of each class in the training loss, in the order of the revision's classes; null: all alike.",
  })
  classWeights!: number[] | null;

  @Field(() => Float, { nullable: true, description: 'Largest L2 norm of the whole gradient; null does not clip.' })
  gradientClipNorm!: number | null;

  @Field(() => Int, { description: 'Seed of shuffling, dropout and augmentation.' })
  seed!: number;

  @Field(() => PrecisionEnum, { description: 'In which numbers it computes.' })
  precision!: string;

  @Field({ description: 'Computes activations again in the backward pass instead of keeping them.' })
  recomputeActivations!: boolean;

  @Field(() => Int, {
    nullable: true,
    description: 'MiB of GPU memory that it may take; null: what the device allows.',
  })
  memoryLimitMiB!: number | null;

  @Field({ description: "Computes the frozen layers' outputs once for each picture. Never changes a result." })
  cacheFeatures!: boolean;

  @Field(() => Augmentation, { nullable: true, description: 'How training pictures vary; null: not at all.' })
  augmentation!: Augmentation | null;

  @Field(() => Float, { nullable: true, description: 'Training ends after this many seconds; null trains all epochs.' })
  maxSeconds!: number | null;
}

@ObjectType({ description: 'Why a run failed.' })
export class RunError {
  @Field({ description: 'For programs.' })
  code!: string;

  @Field({ description: 'For people.' })
  message!: string;
}

@ObjectType({ description: 'Metrics of one epoch.' })
export class EpochMetrics {
  @Field(() => Int, { description: 'From 1.' })
  epoch!: number;

  @Field(() => Float, { description: 'Mean loss over the training pictures, while they were trained on.' })
  trainLoss!: number;

  @Field(() => Float, { description: 'Share of right answers on the training pictures, 0 to 1.' })
  trainAccuracy!: number;

  @Field(() => Float, {
    nullable: true,
    description: 'Mean loss over the validation pictures; null where there are none.',
  })
  validationLoss!: number | null;

  @Field(() => Float, { nullable: true, description: 'Share of right answers on the validation pictures, 0 to 1.' })
  validationAccuracy!: number | null;

  @Field(() => Float, { description: 'Duration.' })
  seconds!: number;
}

@ObjectType({ description: 'Metrics of some training steps in a row.' })
export class StepMetrics {
  @Field(() => Int, { description: 'From 1.' })
  epoch!: number;

  @Field(() => Int, { description: 'Step within the epoch, from 1.' })
  step!: number;

  @Field(() => Float, { description: 'Mean loss.' })
  loss!: number;

  @Field(() => Float, { description: 'Share of right answers, 0 to 1.' })
  accuracy!: number;

  @Field(() => Float, { description: 'Step size.' })
  learningRate!: number;

  @Field(() => Float, { description: 'Speed.' })
  picturesPerSecond!: number;
}

@ObjectType({ description: 'A training of a revision on a data set.' })
export class Run {
  @Field(() => ID, { description: 'Opaque.' })
  id!: string;

  @Field(() => TrainingOptionsType, { description: 'Every option, defaults filled in.' })
  options!: TrainingOptionsType;

  @Field(() => RunStateEnum, { description: 'Where it is in its life.' })
  state!: string;

  @Field(() => RunError, { nullable: true, description: 'Why it failed.' })
  error!: RunError | null;

  @Field(() => String, { nullable: true, description: 'The GPU that computed it; null before it began.' })
  adapter!: string | null;

  @Field({ description: "Graft's version that computed it." })
  codeVersion!: string;

  @Field(() => DateTime, { description: 'When it was asked for.' })
  createdAt!: number;

  @Field(() => DateTime, { nullable: true, description: 'When it began to compute.' })
  startedAt!: number | null;

  @Field(() => DateTime, { nullable: true, description: 'When it ended.' })
  finishedAt!: number | null;

  @Field(() => Float, { nullable: true, description: "Seconds for the frozen layers' outputs." })
  secondsFeatures!: number | null;

  @Field(() => Float, { nullable: true, description: 'Seconds for training steps and validation.' })
  secondsTrain!: number | null;
}

@ObjectType({
  description:
    'An event of a run. `kind` says which of the other fields have values; all events together are the whole story.',
})
export class RunProgress {
  @Field(() => ID, { description: 'The run.' })
  runId!: string;

  @Field(() => Int, {
    description: 'Counts from 1 without a gap. Pass the last one seen as `after` to go on without a loss.',
  })
  sequence!: number;

  @Field(() => DateTime, { description: 'When it happened.' })
  at!: number;

  @Field(() => RunStateEnum, { description: "The run's state then." })
  state!: string;

  @Field(() => RunEventKindEnum, { description: 'What the event tells.' })
  kind!: RunEventKind;

  @Field(() => RunPhaseEnum, { nullable: true, description: 'PHASE: what began.' })
  phase?: string;

  @Field(() => Int, { nullable: true, description: 'STEP, EPOCH: the epoch, from 1.' })
  epoch?: number;

  @Field(() => Int, { nullable: true, description: 'STEP, EPOCH: number of epochs.' })
  epochs?: number;

  @Field(() => Int, { nullable: true, description: 'STEP: steps done in this epoch.' })
  step?: number;

  @Field(() => Int, { nullable: true, description: 'STEP: steps of an epoch.' })
  steps?: number;

  @Field(() => Float, { nullable: true, description: 'STEP, EPOCH: mean loss on training pictures.' })
  loss?: number;

  @Field(() => Float, {
    nullable: true,
    description: 'STEP, EPOCH: share of right answers on training pictures, 0 to 1.',
  })
  accuracy?: number;

  @Field(() => Float, { nullable: true, description: 'STEP: step size.' })
  learningRate?: number;

  @Field(() => Float, { nullable: true, description: 'EPOCH: mean loss on validation pictures.' })
  validationLoss?: number | null;

  @Field(() => Float, { nullable: true, description: 'EPOCH: share of right answers on validation pictures, 0 to 1.' })
  validationAccuracy?: number | null;

  @Field(() => Int, { nullable: true, description: 'PICTURES: pictures done.' })
  done?: number;

  @Field(() => Int, { nullable: true, description: 'PICTURES: pictures to do.' })
  total?: number;

  @Field(() => Float, { nullable: true, description: 'PICTURES, STEP: speed.' })
  picturesPerSecond?: number;

  @Field(() => Float, { nullable: true, description: 'PICTURES, STEP: seconds left, estimated.' })
  etaSeconds?: number | null;

  @Field(() => Float, { nullable: true, description: 'EPOCH: duration. COMPILED: time for compiling and a first run.' })
  seconds?: number;

  @Field(() => Int, { nullable: true, description: 'COMPILED: pictures that are computed at a time, at most.' })
  partSize?: number;

  @Field(() => Int, {
    nullable: true,
    description: 'COMPILED: parts that a batch is computed in; their gradients are added up.',
  })
  parts?: number;

  @Field(() => Int, { nullable: true, description: 'COMPILED: GPU dispatches of one training step.' })
  dispatchesPerStep?: number;

  @Field(() => Float, {
    nullable: true,
    description: 'COMPILED: seconds of `seconds` for measuring kernels that had not been measured on this adapter.',
  })
  tuningSeconds?: number;

  @Field(() => Float, { nullable: true, description: 'COMPILED: bytes of GPU memory in use.' })
  deviceBytes?: number;
}

export const RunConnection = connectionType('Run', Run);
