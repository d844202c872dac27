import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsIn,
  IsNotEmpty,
  IsOptional,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { ArgsType, Field, Float, ID, InputType, Int } from 'type-graphql';

const LARGEST_SEED = 2 ** 31 - 1;
const LONGEST_NAME = 200;
export const LONGEST_OPERATION_ID = 100;

@InputType({ description: 'Which network of the zoo to create.' })
export class CreateNetworkInput {
  @Field(() => ID, { description: '`id` of a network in `zoo`.' })
  @MaxLength(LONGEST_NAME)
  zooId!: string;

  @Field(() => String, { nullable: true, description: "Default: the zoo's name." })
  @IsOptional()
  @IsNotEmpty()
  @MaxLength(LONGEST_NAME)
  name?: string;

  @Field({
    defaultValue: true,
    description:
      'False: random weights, even where pretrained ones are published; nothing is downloaded then. A network of the zoo without published weights (`pretrained` in `zoo`) needs it to be false.',
  })
  pretrained!: boolean;

  @Field(() => Int, { nullable: true, description: 'Seed of the weights where they are random.' })
  @IsOptional()
  @Min(0)
  @Max(LARGEST_SEED)
  seed?: number;

  @Field(() => Int, {
    nullable: true,
    description: 'Side of its square input in pixels, in place of the published one; the weights stay.',
  })
  @IsOptional()
  @Min(1)
  @Max(4096)
  inputSize?: number;

  @Field(() => Int, {
    nullable: true,
    description: 'Channels of its input: 3 for colours, or 1 for grey, for which the first kernels are added up.',
  })
  @IsOptional()
  @IsIn([1, 3])
  inChannels?: number;

  @Field(() => ID, {
    nullable: true,
    description: 'A name that you choose for the download, for `downloadProgress` and `cancelDownload`.',
  })
  @IsOptional()
  @IsNotEmpty()
  @MaxLength(LONGEST_OPERATION_ID)
  operationId?: string;
}

@InputType({ description: 'Which networks of the zoo to measure.' })
export class MeasureZooNetworksInput {
  @Field(() => [ID], { description: 'Their `id`s in `zoo`, up to 200. They are measured one after the other.' })
  @ArrayMinSize(1)
  @ArrayMaxSize(200)
  @ArrayUnique()
  zooIds!: string[];

  @Field(() => Float, {
    nullable: true,
    description:
      'Time for each of the two measurements of a network, up to 60 s; default 2. Slow networks take longer.',
  })
  @IsOptional()
  @Min(0.01)
  @Max(60)
  seconds?: number;
}

@ArgsType()
export class DownloadProgressArgs {
  @Field(() => ID, { description: 'The name that was given to the download, or will be.' })
  @IsNotEmpty()
  @MaxLength(LONGEST_OPERATION_ID)
  operationId!: string;
}
