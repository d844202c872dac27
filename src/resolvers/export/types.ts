import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import { ComparedValuesEnum, ExportFormatEnum, PreprocessingOriginEnum } from '../enums.js';
import { PreprocessingType } from '../network/types.js';
import { DateTime, SafeInt } from '../scalars.js';

@ObjectType('ReceiptFile', { description: 'A file that came in or went out.' })
export class ReceiptFileType {
  @Field({ description: 'As it was uploaded, or its path in the export.' })
  name!: string;

  @Field(() => SafeInt, { description: 'Its size.' })
  bytes!: number;

  @Field({ description: 'SHA-256 of it.' })
  hash!: string;
}

@ObjectType('LayerMapping', { description: 'Layers of one kind that became layers or operators of another.' })
export class LayerMappingType {
  @Field({ description: 'Kind or operator in the source.' })
  from!: string;

  @Field({ description: 'What it became; several with ` + ` between them.' })
  to!: string;

  @Field(() => Int, { description: 'How often.' })
  count!: number;
}

@ObjectType('Conversion', { description: 'What happened between a file and a network.' })
export class ConversionType {
  @Field({ description: 'Format of the file.' })
  format!: string;

  @Field(() => String, { nullable: true, description: 'Its version, as the file says it.' })
  version!: string | null;

  @Field(() => [LayerMappingType], { description: 'What became of the layers.' })
  mapped!: readonly LayerMappingType[];

  @Field(() => [String], { description: 'What was merged or computed once and for all.' })
  folded!: readonly string[];

  @Field(() => [String], { description: 'What has no place in the target, with the reason.' })
  ignored!: readonly string[];
}

@ObjectType('PreprocessingSource', { description: 'Who said one field of the preprocessing.' })
export class PreprocessingSourceType {
  @Field(() => String, { description: 'Name of the field in `preprocessing`.' })
  field!: string;

  @Field(() => PreprocessingOriginEnum, { description: 'Who said it.' })
  origin!: string;
}

@ObjectType('DivergingLayer', { description: 'The first layer at which two computations part.' })
export class DivergingLayerType {
  @Field({ description: 'Its name.' })
  name!: string;

  @Field(() => Float, { description: "Largest difference over the largest value of the layer's output." })
  relativeDifference!: number;
}

@ObjectType('Comparison', { description: 'How far apart two computations of the same network were.' })
export class ComparisonType {
  @Field({ description: 'The other side: an engine with its version, or the reference outputs given.' })
  against!: string;

  @Field(() => Int, { description: 'How many inputs went through both.' })
  inputs!: number;

  @Field(() => ComparedValuesEnum, { description: 'What was compared.' })
  values!: string;

  @Field(() => Float, { description: 'Largest difference of two values.' })
  largestDifference!: number;

  @Field(() => Float, { description: 'The same over the largest value expected for that input.' })
  relativeDifference!: number;

  @Field({ description: 'The picture or input that showed it.' })
  input!: string;

  @Field(() => Float, { description: 'Largest relative difference without a warning.' })
  tolerance!: number;

  @Field(() => DivergingLayerType, {
    nullable: true,
    description: 'Where the two part; null within the tolerance, or where nothing tells.',
  })
  divergingLayer!: DivergingLayerType | null;
}

@ObjectType('Receipt', { description: 'What happened when a network came in or went out.' })
export class ReceiptType {
  @Field(() => [ReceiptFileType], { description: 'The files.' })
  files!: readonly ReceiptFileType[];

  @Field(() => [ConversionType], { description: 'One for each format that was read or written.' })
  conversions!: readonly ConversionType[];

  @Field(() => PreprocessingType, { description: 'How a picture becomes the input.' })
  preprocessing!: PreprocessingType;

  @Field(() => [PreprocessingSourceType], { description: 'Who said each part of it.' })
  preprocessingSources!: readonly PreprocessingSourceType[];

  @Field(() => ComparisonType, { nullable: true, description: 'Against a reference; null where there was none.' })
  comparison!: ComparisonType | null;

  @Field(() => String, { nullable: true, description: 'Why nothing was compared; null where it was.' })
  notCompared!: string | null;

  @Field(() => [String], { description: 'What a person should look at.' })
  warnings!: readonly string[];
}

@ObjectType('Export', { description: 'A revision as a file.' })
export class ExportType {
  @Field(() => ID, { description: 'Opaque.' })
  id!: string;

  @Field(() => ExportFormatEnum, { description: 'Its format.' })
  format!: string;

  @Field({ description: 'A name for it.' })
  filename!: string;

  @Field(() => SafeInt, { description: 'Its size.' })
  bytes!: number;

  @Field({ description: 'SHA-256 of the file.' })
  hash!: string;

  @Field(() => ReceiptType, { nullable: true, description: 'What was done; null for files that older versions wrote.' })
  receipt!: ReceiptType | null;

  @Field(() => DateTime, { description: 'When it was written.' })
  createdAt!: number;
}
