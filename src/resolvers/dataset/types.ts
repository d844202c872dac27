import { Field, ID, Int, ObjectType } from 'type-graphql';
import { DatasetWarningCodeEnum, SplitEnum } from '../enums.js';
import { connectionType } from '../pagination.js';
import { DateTime } from '../scalars.js';

@ObjectType({ description: 'A class of a data set, with the number of its pictures in each split.' })
export class DatasetClass {
  @Field({ description: "The folder's name." })
  label!: string;

  @Field(() => Int, { description: 'Its number, from 0: the output of a network for it.' })
  index!: number;

  @Field(() => Int, { description: 'Training pictures.' })
  train!: number;

  @Field(() => Int, { description: 'Validation pictures.' })
  validation!: number;

  @Field(() => Int, { description: 'Test pictures.' })
  test!: number;
}

@ObjectType('DatasetWarning', { description: 'Something doubtful about a data set, found when it was created.' })
export class DatasetWarningType {
  @Field(() => DatasetWarningCodeEnum, { description: 'What kind.' })
  code!: string;

  @Field({ description: 'For people.' })
  message!: string;

  @Field(() => [String], { description: 'The files that it is about.' })
  paths!: readonly string[];
}

@ObjectType({ description: 'A file that is not in the data set, because it could not be read as a picture.' })
export class SkippedFile {
  @Field({ description: 'Its path in the archive or folder.' })
  path!: string;

  @Field({ description: 'Why.' })
  reason!: string;
}

@ObjectType({ description: 'An immutable set of labelled pictures with its split.' })
export class Dataset {
  @Field(() => ID, { description: 'Opaque.' })
  id!: string;

  @Field({ description: 'For people; need not be unique.' })
  name!: string;

  @Field(() => [DatasetWarningType], { description: 'What is doubtful about it.' })
  warnings!: readonly DatasetWarningType[];

  @Field(() => [SkippedFile], { description: 'Files that could not be read as pictures.' })
  skipped!: readonly SkippedFile[];

  @Field(() => DateTime, { description: 'When it was created.' })
  createdAt!: number;
}

@ObjectType({ description: 'A labelled picture of a data set.' })
export class Picture {
  @Field(() => ID, { description: 'Opaque.' })
  id!: string;

  @Field({ description: 'Its path in the archive or folder.' })
  path!: string;

  @Field({ description: 'SHA-256 of the file.' })
  hash!: string;

  @Field({ description: 'The class.' })
  label!: string;

  @Field(() => Int, { description: "The class's number." })
  labelIndex!: number;

  @Field(() => SplitEnum, { description: 'The part of the data set that it belongs to.' })
  split!: string;

  @Field(() => Int, { description: 'Pixels.' })
  width!: number;

  @Field(() => Int, { description: 'Pixels.' })
  height!: number;
}

export const DatasetConnection = connectionType('Dataset', Dataset);
export const PictureConnection = connectionType('Picture', Picture);
