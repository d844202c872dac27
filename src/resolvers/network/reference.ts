import { ArrayMaxSize, ArrayMinSize, IsOptional, Min } from 'class-validator';
import { Field, Float, ID, InputType } from 'type-graphql';

@InputType({ description: 'Inputs with the outputs that a network ought to have for them.' })
export class ReferenceInput {
  @Field(() => [ID], {
    description:
      'Uploads: pictures, which go through the preprocessing too; or arrays (.npy, .npz, .pb) of what the network reads, [N, C, H, W].',
  })
  @ArrayMinSize(1)
  @ArrayMaxSize(256)
  inputUploadIds!: string[];

  @Field(() => [ID], {
    description: 'Uploads of arrays: a row of logits or probabilities for each input, in their order.',
  })
  @ArrayMinSize(1)
  @ArrayMaxSize(256)
  outputUploadIds!: string[];

  @Field(() => Float, {
    nullable: true,
    description: 'Largest relative difference without a warning. Default: 0.0001, and 0.02 for pictures.',
  })
  @IsOptional()
  @Min(0)
  tolerance?: number;
}
