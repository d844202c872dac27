import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import { DeviceStateEnum, SplitEnum } from '../enums.js';
import { connectionType } from '../pagination.js';
import { DateTime, SafeInt } from '../scalars.js';

@ObjectType({ description: 'Share of pictures whose k most probable classes hold the right one.' })
export class TopKAccuracy {
  @Field(() => Int, { description: 'How many classes count.' })
  k!: number;

  @Field(() => Float, { description: '0 to 1.' })
  accuracy!: number;
}

@ObjectType('ClassMetrics', { description: 'How well one class is told from the others.' })
export class ClassMetricsType {
  @Field({ description: 'The class.' })
  label!: string;

  @Field(() => Int, { description: 'Its pictures.' })
  support!: number;

  @Field(() => Float, {
    nullable: true,
    description: 'Of the pictures taken for it, the share that is; null where none was.',
  })
  precision!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Of its pictures, the share that was found; null where it has none.',
  })
  recall!: number | null;

  @Field(() => Float, { nullable: true, description: 'Harmonic mean of precision and recall.' })
  f1!: number | null;
}

@ObjectType({ description: 'Measurement of a revision on one split of a data set.' })
export class Evaluation {
  @Field(() => ID, { description: 'Opaque.' })
  id!: string;

  @Field(() => SplitEnum, { description: 'The pictures that it was measured on.' })
  split!: string;

  @Field(() => DateTime, { description: 'When it was measured.' })
  createdAt!: number;
}

@ObjectType('Prediction', { description: 'A class for a picture.' })
export class PredictionType {
  @Field({ description: 'The class.' })
  label!: string;

  @Field(() => Int, { description: "The class's number." })
  index!: number;

  @Field(() => Float, { description: '0 to 1.' })
  probability!: number;
}

@ObjectType('PicturePrediction', { description: 'The classes of one uploaded picture.' })
export class PicturePredictionType {
  @Field(() => ID, { description: 'The upload.' })
  uploadId!: string;

  @Field({ description: "The upload's file name." })
  filename!: string;

  @Field(() => [PredictionType], { description: 'Most probable first; empty where the picture cannot be read.' })
  predictions!: readonly PredictionType[];

  @Field(() => String, { nullable: true, description: 'Why the picture cannot be read.' })
  error!: string | null;
}

@ObjectType({ description: 'The GPU and the worker process that owns it.' })
export class Device {
  @Field(() => DeviceStateEnum, { description: 'What the worker is doing.' })
  state!: string;

  @Field(() => String, { nullable: true, description: 'Maker of the GPU.' })
  vendor!: string | null;

  @Field(() => String, { nullable: true, description: 'Its architecture.' })
  architecture!: string | null;

  @Field(() => String, { nullable: true, description: 'GPU and driver, as the driver names them.' })
  description!: string | null;

  @Field(() => Boolean, { nullable: true, description: 'Whether it computes on the CPU.' })
  isSoftware!: boolean | null;

  @Field(() => String, { nullable: true, description: 'Which structure of compute shaders is used.' })
  kernelFamily!: string | null;

  @Field(() => [String], { description: 'WebGPU features in use.' })
  features!: readonly string[];

  @Field(() => Int, { description: 'How often the worker had to be started again.' })
  workerRestarts!: number;

  @Field(() => String, { nullable: true, description: 'Why it cannot compute.' })
  error!: string | null;
}

export const EvaluationConnection = connectionType('Evaluation', Evaluation);

@ObjectType({ description: 'Stored files that nothing referred to.' })
export class GarbageReport {
  @Field(() => Boolean, { description: 'Whether they are still there.' })
  dryRun!: boolean;

  @Field(() => Int, { description: 'How many.' })
  files!: number;

  @Field(() => SafeInt, { description: 'What they take on disk.' })
  bytes!: number;
}
