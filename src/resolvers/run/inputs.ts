import { ArrayMaxSize, IsIn, IsOptional, Max, Min, ValidateNested } from 'class-validator';
import { ArgsType, Field, Float, ID, InputType, Int } from 'type-graphql';
import { CLASS_WEIGHT_RANGE } from '../../training/options.js';
import type { OptimizerName, Precision } from '../../training/types.js';
import { DEFAULT_TRAINING_OPTIONS } from '../../training/types.js';
import { OptimizerEnum, PrecisionEnum } from '../enums.js';
import { PageArgs } from '../pagination.js';
import { Augmentation } from './augmentation.js';

type Defaults = typeof DEFAULT_TRAINING_OPTIONS;
type PlainOption = { [K in keyof Defaults]: Defaults[K] extends string | number | boolean ? K : never }[keyof Defaults];
const fallback = (key: PlainOption): string => `Default: ${DEFAULT_TRAINING_OPTIONS[key]}.`;

@InputType({ description: 'Options of a run; what is left out takes its default.' })
export class TrainingOptionsInput {
  @Field(() => Int, {
    nullable: true,
    description: `Passes over the training pictures, 1 to 10,000. ${fallback('epochs')}`,
  })
  @IsOptional()
  @Min(1)
  @Max(10_000)
  epochs?: number;

  @Field(() => Int, { nullable: true, description: `Pictures a step, 1 to 4,096. ${fallback('batchSize')}` })
  @IsOptional()
  @Min(1)
  @Max(4096)
  batchSize?: number;

  @Field(() => Float, { nullable: true, description: `Step size, above 0 up to 100. ${fallback('learningRate')}` })
  @IsOptional()
  @Min(1e-12)
  @Max(100)
  learningRate?: number;

  @Field(() => OptimizerEnum, {
    nullable: true,
    description: `How gradients become updates. Default: ${DEFAULT_TRAINING_OPTIONS.optimizer.toUpperCase()}.`,
  })
  @IsOptional()
  @IsIn(Object.values(OptimizerEnum))
  optimizer?: OptimizerName;

  @Field(() => Float, { nullable: true, description: `Momentum of SGD, 0 to below 1. ${fallback('momentum')}` })
  @IsOptional()
  @Min(0)
  @Max(0.9999)
  momentum?: number;

  @Field(() => Boolean, { nullable: true, description: `Nesterov's momentum, for SGD. ${fallback('nesterov')}` })
  @IsOptional()
  nesterov?: boolean;

  @Field(() => Float, {
    nullable: true,
    description: `Weight decay, 0 to 10; decoupled for ADAMW. ${fallback('weightDecay')}`,
  })
  @IsOptional()
  @Min(0)
  @Max(10)
  weightDecay?: number;

  @Field(() => Float, {
    nullable: true,
    description: `Probability that is spread over all classes in the target, 0 to 0.9. ${fallback('labelSmoothing')}`,
  })
  @IsOptional()
  @Min(0)
  @Max(0.9)
  labelSmoothing?: number;

  @Field(() => Boolean, {
    nullable: true,
    description: `Weighs each class in the loss by pictures / (classes * the class's pictures), so that rare classes count as much as common ones. Not with classWeights. ${fallback('balanceClasses')}`,
  })
  @IsOptional()
  balanceClasses?: boolean;

  @Field(() => [Float], {
    nullable: true,
    description: `Weight of each class in the training loss, in the order of the revision's classes, ${CLASS_WEIGHT_RANGE.min} to ${CLASS_WEIGHT_RANGE.max}: a picture of a class with weight 2 counts twice. The loss is divided by the sum of its pictures' weights, so that only ratios matter. Validation and evaluation weigh nothing. Default: null, all alike.`,
  })
  @IsOptional()
  @ArrayMaxSize(100_000)
  @Min(CLASS_WEIGHT_RANGE.min, { each: true })
  @Max(CLASS_WEIGHT_RANGE.max, { each: true })
  classWeights?: number[] | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Largest L2 norm of the whole gradient, above 0. Default: null, which does not clip.',
  })
  @IsOptional()
  @Min(1e-12)
  gradientClipNorm?: number | null;

  @Field(() => Int, { nullable: true, description: `Seed of shuffling, dropout and augmentation. ${fallback('seed')}` })
  @IsOptional()
  @Min(0)
  @Max(2 ** 31 - 1)
  seed?: number;

  @Field(() => PrecisionEnum, {
    nullable: true,
    description: `In which numbers it computes. Default: ${DEFAULT_TRAINING_OPTIONS.precision.toUpperCase()}.`,
  })
  @IsOptional()
  @IsIn(Object.values(PrecisionEnum))
  precision?: Precision;

  @Field(() => Boolean, {
    nullable: true,
    description: `Computes activations again in the backward pass instead of keeping them: less GPU memory, more time, the same result. ${fallback('recomputeActivations')}`,
  })
  @IsOptional()
  recomputeActivations?: boolean;

  @Field(() => Int, {
    nullable: true,
    description:
      'MiB of GPU memory that the run may take, 1 to 16,777,216. A batch that does not fit is computed in parts whose gradients are added up; batch norms that train then normalise by each part. Default: null, what the device allows.',
  })
  @IsOptional()
  @Min(1)
  @Max(2 ** 24)
  memoryLimitMiB?: number | null;

  @Field(() => Boolean, {
    nullable: true,
    description: `Computes the frozen layers' outputs once for each picture; never changes a result. ${fallback('cacheFeatures')}`,
  })
  @IsOptional()
  cacheFeatures?: boolean;

  @Field(() => Augmentation, {
    nullable: true,
    description: 'How training pictures vary. Default: null, which leaves them as they are.',
  })
  @IsOptional()
  @ValidateNested()
  augmentation?: Augmentation | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Training ends after this many seconds, above 0. Default: null, which trains all epochs.',
  })
  @IsOptional()
  @Min(0.001)
  maxSeconds?: number | null;
}

@InputType({ description: 'What to train on what.' })
export class TrainInput {
  @Field(() => ID, { description: 'The network.' })
  networkId!: string;

  @Field(() => ID, { nullable: true, description: "Default: the network's newest revision." })
  @IsOptional()
  revisionId?: string;

  @Field(() => ID, { description: "The data set; its classes have to be the revision's." })
  datasetId!: string;

  @Field(() => TrainingOptionsInput, { nullable: true, description: 'How.' })
  @IsOptional()
  @ValidateNested()
  options?: TrainingOptionsInput;
}

@ArgsType()
export class RunsArgs extends PageArgs {
  @Field(() => ID, { nullable: true, description: 'Only runs of this network.' })
  @IsOptional()
  networkId?: string;

  @Field(() => ID, { nullable: true, description: 'Only runs on this data set.' })
  @IsOptional()
  datasetId?: string;
}

@ArgsType()
export class RunProgressArgs {
  @Field(() => ID, { description: 'The run.' })
  runId!: string;

  @Field(() => Int, { defaultValue: 0, description: '`sequence` of the last event seen; 0 starts at the first.' })
  @Min(0)
  after!: number;
}
