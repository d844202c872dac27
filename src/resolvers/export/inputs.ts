import { ArrayMaxSize, ArrayUnique, IsIn, IsOptional, ValidateNested } from 'class-validator';
import { Field, ID, InputType } from 'type-graphql';
import type { ExportFormat } from '../../services/api.js';
import { ExportFormatEnum, PictureLayoutEnum, PictureTypeEnum } from '../enums.js';

@InputType({
  description: 'Pictures as an exported ONNX graph takes them: RGB, 0 to 255, resized to the size of the input.',
})
export class ExportPicturesInput {
  @Field(() => PictureTypeEnum, { defaultValue: PictureTypeEnum.UINT8, description: 'Type of the values.' })
  @IsIn(Object.values(PictureTypeEnum))
  type!: 'uint8' | 'float32';

  @Field(() => PictureLayoutEnum, { defaultValue: PictureLayoutEnum.NHWC, description: 'Order of the dimensions.' })
  @IsIn(Object.values(PictureLayoutEnum))
  layout!: 'NHWC' | 'NCHW';
}

@InputType({ description: 'What to write as a file.' })
export class ExportRevisionInput {
  @Field(() => ID, { description: 'The revision.' })
  revisionId!: string;

  @Field(() => ExportFormatEnum, { defaultValue: ExportFormatEnum.SAFETENSORS, description: 'The format.' })
  @IsIn(Object.values(ExportFormatEnum))
  format!: ExportFormat;

  @Field({
    defaultValue: true,
    description:
      'ONNX: another engine, where one is installed, runs the file, and the receipt says how far it is from ours.',
  })
  compare!: boolean;

  @Field(() => [ID], {
    nullable: true,
    description: 'Uploaded pictures for the comparison, beside generated ones; at most 16.',
  })
  @IsOptional()
  @ArrayMaxSize(16)
  @ArrayUnique()
  pictureUploadIds?: string[];

  @Field({ defaultValue: false, description: 'ONNX: the graph ends in probabilities instead of logits.' })
  softmax!: boolean;

  @Field(() => ExportPicturesInput, {
    nullable: true,
    description:
      'ONNX: the graph takes pictures and does the preprocessing behind the resizing itself. Default: it takes the values that the network reads.',
  })
  @IsOptional()
  @ValidateNested()
  pictures?: ExportPicturesInput;
}
