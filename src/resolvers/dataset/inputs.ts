import { IsIn, IsNotEmpty, IsOptional, Max, MaxLength, Min } from 'class-validator';
import { ArgsType, Field, Float, ID, InputType, Int } from 'type-graphql';
import type { Split } from '../../training/types.js';
import { SplitEnum } from '../enums.js';
import { PageArgs } from '../pagination.js';

@InputType({ description: 'A data set from class folders: either `uploadId` or `folder` is given.' })
export class CreateDatasetInput {
  @Field({ description: 'For people.' })
  @IsNotEmpty()
  @MaxLength(200)
  name!: string;

  @Field(() => ID, { nullable: true, description: 'An uploaded zip or tar of class folders (`POST /uploads`).' })
  @IsOptional()
  @MaxLength(200)
  uploadId?: string;

  @Field(() => String, { nullable: true, description: 'A folder of the server, inside its GRAFT_IMPORT_ROOT.' })
  @IsOptional()
  @IsNotEmpty()
  @MaxLength(4096)
  folder?: string;

  @Field(() => Float, {
    nullable: true,
    description: 'Share of the pictures for validation, 0 to 0.9, where there are no train, val and test folders.',
  })
  @IsOptional()
  @Min(0)
  @Max(0.9)
  validationShare?: number;

  @Field(() => Float, { nullable: true, description: 'Share of the pictures for the test, 0 to 0.9, likewise.' })
  @IsOptional()
  @Min(0)
  @Max(0.9)
  testShare?: number;

  @Field(() => Int, { nullable: true, description: 'Seed of the split.' })
  @IsOptional()
  @Min(0)
  @Max(2 ** 31 - 1)
  seed?: number;
}

@ArgsType()
export class PicturesArgs extends PageArgs {
  @Field(() => SplitEnum, { nullable: true, description: 'Only pictures of this split.' })
  @IsOptional()
  @IsIn(Object.values(SplitEnum))
  split?: Split;

  @Field(() => String, { nullable: true, description: 'Only pictures of this class.' })
  @IsOptional()
  @MaxLength(200)
  label?: string;
}
