import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsIn, IsOptional, Max, Min } from 'class-validator';
import { ArgsType, Field, ID, InputType, Int } from 'type-graphql';
import type { Split } from '../../training/types.js';
import { SplitEnum } from '../enums.js';
import { PageArgs } from '../pagination.js';

@InputType({ description: 'What to measure on what.' })
export class EvaluateInput {
  @Field(() => ID, { description: 'The network.' })
  networkId!: string;

  @Field(() => ID, { nullable: true, description: "Default: the network's newest revision." })
  @IsOptional()
  revisionId?: string;

  @Field(() => ID, { description: "The data set; its classes have to be the revision's." })
  datasetId!: string;

  @Field(() => SplitEnum, { defaultValue: SplitEnum.TEST, description: 'The pictures.' })
  @IsIn(Object.values(SplitEnum))
  split!: Split;
}

@ArgsType()
export class EvaluationsArgs extends PageArgs {
  @Field(() => [ID], { nullable: true, description: 'Only evaluations of these revisions.' })
  @IsOptional()
  @ArrayMaxSize(100)
  revisionIds?: string[];

  @Field(() => ID, { nullable: true, description: 'Only evaluations on this data set.' })
  @IsOptional()
  datasetId?: string;
}

@InputType({ description: 'Pictures to classify.' })
export class PredictInput {
  @Field(() => ID, { description: 'The network.' })
  networkId!: string;

  @Field(() => ID, { nullable: true, description: "Default: the network's newest revision." })
  @IsOptional()
  revisionId?: string;

  @Field(() => [ID], { description: 'Uploaded pictures (`POST /uploads`), 1 to 256.' })
  @ArrayMinSize(1)
  @ArrayMaxSize(256)
  @ArrayUnique()
  uploadIds!: string[];

  @Field(() => Int, { defaultValue: 5, description: 'How many classes for each, 1 to 100.' })
  @Min(1)
  @Max(100)
  topK!: number;
}
