import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import type { LayerKind } from '../../models/network.js';
import { ChannelOrderEnum, FitEnum, InterpolationEnum, LayerKindEnum } from '../enums.js';
import { connectionType } from '../pagination.js';
import { DateTime, JSONObject, SafeInt } from '../scalars.js';

@ObjectType('Preprocessing', {
  description: "How a picture becomes the network's input: value = (byte / scale - mean) / std, per channel.",
})
export class PreprocessingType {
  @Field(() => Int, { description: 'Height of the input, pixels.' })
  height!: number;

  @Field(() => Int, { description: 'Width of the input, pixels.' })
  width!: number;

  @Field(() => FitEnum, { description: 'How the picture is brought to that size.' })
  fit!: string;

  @Field(() => Float, {
    description: 'Central part of both sides that is kept with CENTER_CROP and RESIZE_THEN_CROP, 0 to 1.',
  })
  cropFraction!: number;

  @Field(() => InterpolationEnum, { description: 'How pixels are resampled.' })
  interpolation!: string;

  @Field(() => ChannelOrderEnum, { description: 'Order of the channels.' })
  channelOrder!: string;

  @Field(() => Float, { description: 'Divides the bytes.' })
  scale!: number;

  @Field(() => [Float], { description: 'Subtracted, one value a channel.' })
  mean!: readonly number[];

  @Field(() => [Float], { description: 'Divides, one value a channel.' })
  std!: readonly number[];
}
@ObjectType('Layer', { description: 'One layer of a revision.' })
export class LayerType {
  @Field({ description: 'Unique within the network; from the framework or file that the network came from.' })
  name!: string;

  @Field(() => LayerKindEnum, { description: 'What it computes.' })
  kind!: LayerKind;

  @Field(() => [String], { description: 'Names of the layers whose outputs it reads.' })
  inputs!: readonly string[];

  @Field(() => [Int], { description: 'Shape of the output without the batch: channels, height, width, or features.' })
  outputShape!: readonly number[];

  @Field(() => SafeInt, { description: 'Number of trainable values, frozen or not.' })
  parameters!: number;

  @Field(() => SafeInt, { description: 'Multiplications with an addition for one picture.' })
  multiplyAdds!: number;

  @Field(() => Float, { description: "Multiplies the run's learning rate; 0 is frozen." })
  learningRateFactor!: number;

  @Field({ description: 'Neither weights nor batch-norm statistics move in training.' })
  frozen!: boolean;

  @Field(() => Float, {
    nullable: true,
    description: 'Weight of its loss in training where it ends an auxiliary head, which predictions leave out.',
  })
  auxiliaryLossWeight!: number | null;

  @Field(() => JSONObject, {
    description: 'What else describes a layer of this kind: kernel, stride, padding, groups, rate.',
  })
  attributes!: object;
}

@ObjectType({ description: 'A network under a name. What it is lies in its revisions; every edit adds one.' })
export class Network {
  @Field(() => ID, { description: 'Opaque.' })
  id!: string;

  @Field({ description: 'For people; need not be unique.' })
  name!: string;

  @Field(() => DateTime, { description: 'When it was created.' })
  createdAt!: number;
}

@ObjectType({ description: 'An immutable state of a network: layers, weights, preprocessing and labels.' })
export class Revision {
  @Field(() => ID, { description: 'Opaque.' })
  id!: string;

  @Field({ description: 'What made it, for people.' })
  summary!: string;

  @Field({ description: 'Architecture or file that the network came from.' })
  architecture!: string;

  @Field(() => [String], { nullable: true, description: 'Labels of the outputs in order; null where unknown.' })
  classes!: readonly string[] | null;

  @Field(() => PreprocessingType, { description: 'How a picture becomes the input.' })
  preprocessing!: PreprocessingType;

  @Field({ description: 'SHA-256 of the weights as safetensors.' })
  weightsHash!: string;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: number;
}

export const NetworkConnection = connectionType('Network', Network);
export const RevisionConnection = connectionType('Revision', Revision);
