import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import { DownloadStateEnum, ZooSourceKindEnum } from '../enums.js';
import { PreprocessingType } from '../network/types.js';
import { DateTime, SafeInt } from '../scalars.js';

@ObjectType({ description: 'Size of the pictures that a network takes.' })
export class InputSize {
  @Field(() => Int, { description: 'Colour channels.' })
  channels!: number;

  @Field(() => Int, { description: 'Pixels.' })
  height!: number;

  @Field(() => Int, { description: 'Pixels.' })
  width!: number;
}

@ObjectType({ description: 'A place that a file of the zoo comes from.' })
export class ZooSource {
  @Field(() => ZooSourceKindEnum, { description: 'What kind of place.' })
  kind!: string;

  @Field({ description: 'The address, `package/path` of a package, or the path in the folder `weights`.' })
  location!: string;
}

@ObjectType({ description: 'A file of pretrained weights.' })
export class ZooFile {
  @Field({ description: 'Its name, in the cache and on a mirror too.' })
  name!: string;

  @Field(() => SafeInt, { description: 'Size; the publisher may have rounded it to a kilobyte.' })
  bytes!: number;

  @Field({ description: 'Digits of its SHA-256: all 64, or the first ones where only those are published.' })
  sha256!: string;

  @Field(() => [ZooSource], { description: 'Where it comes from, in the order in which they are tried.' })
  sources!: readonly ZooSource[];
}

@ObjectType({
  description:
    'A network that Graft can create by itself: an architecture, with pretrained weights where a source ships them.',
})
export class ZooNetwork {
  @Field(() => ID, { description: 'For `createNetwork`.' })
  id!: string;

  @Field({ description: 'For people.' })
  name!: string;

  @Field({ description: 'Name of the architecture, e.g. `mobilenet_v2`.' })
  architecture!: string;

  @Field({ description: 'What it is and what it is good for.' })
  description!: string;

  @Field(() => String, { nullable: true, description: 'The publication that describes the architecture.' })
  paper!: string | null;

  @Field({ description: 'False: the weights are random until trained or imported.' })
  pretrained!: boolean;

  @Field(() => String, { nullable: true, description: "The publisher's name for the weights, e.g. `IMAGENET1K_V2`." })
  weights!: string | null;

  @Field(() => String, { nullable: true, description: 'The first place that the weights come from.' })
  source!: string | null;

  @Field(() => [ZooFile], { description: 'The files of the weights; empty without pretrained ones.' })
  files!: readonly ZooFile[];

  @Field(() => String, { nullable: true, description: 'Licence under which the weights are published.' })
  license!: string | null;

  @Field(() => String, { nullable: true, description: 'What else binds their use.' })
  licenseNote!: string | null;

  @Field(() => PreprocessingType, { description: 'How a picture becomes the input.' })
  preprocessing!: PreprocessingType;

  @Field(() => Int, { nullable: true, description: 'Number of outputs; null: it ends in features and needs a head.' })
  classCount!: number | null;

  @Field(() => SafeInt, { description: 'Number of trainable values.' })
  parameters!: number;

  @Field(() => SafeInt, { description: 'Multiplications with an addition for one picture.' })
  multiplyAdds!: number;

  @Field(() => SafeInt, { nullable: true, description: 'Size of all files of the weights.' })
  bytes!: number | null;

  @Field(() => Float, { nullable: true, description: 'Published share of right answers on ImageNet, 0 to 100.' })
  top1!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Published share of answers whose five best hold the right one, 0 to 100.',
  })
  top5!: number | null;
}

@ObjectType({ description: 'The state of a download.' })
export class DownloadProgress {
  @Field(() => ID, { description: 'The name that the client gave it.' })
  operationId!: string;

  @Field(() => DownloadStateEnum, { description: 'Where it is in its life.' })
  state!: string;

  @Field(() => String, { nullable: true, description: 'The file at hand; null before the first.' })
  file!: string | null;

  @Field(() => String, { nullable: true, description: 'Where the file comes from; null: it was in the cache.' })
  url!: string | null;

  @Field(() => SafeInt, { description: 'Bytes of the file that are here.' })
  receivedBytes!: number;

  @Field(() => SafeInt, { nullable: true, description: 'Bytes of the file; null where the server does not say.' })
  totalBytes!: number | null;

  @Field(() => String, { nullable: true, description: 'Why it failed.' })
  error!: string | null;
}

@ObjectType('ZooMeasurement', {
  description: 'How fast a network of the zoo predicts on an adapter, pictures of its input size, decoding aside.',
})
export class ZooMeasurementType {
  @Field({ description: 'The adapter, as its driver names it.' })
  adapter!: string;

  @Field({ description: 'Whether the adapter computes on the CPU.' })
  isSoftware!: boolean;

  @Field(() => Float, { description: 'Median time for one picture by itself.' })
  millisecondsPerPicture!: number;

  @Field(() => Float, { description: 'Pictures per second in batches of `batchSize`.' })
  picturesPerSecond!: number;

  @Field(() => Int, { description: 'Pictures in a batch.' })
  batchSize!: number;

  @Field({ description: "Graft's version." })
  codeVersion!: string;

  @Field(() => DateTime, { description: 'When it was measured.' })
  measuredAt!: number;
}

@ObjectType({ description: 'What came of measuring one network.' })
export class ZooMeasurementResult {
  @Field(() => ID, { description: 'The network.' })
  zooId!: string;

  @Field(() => ZooMeasurementType, { nullable: true, description: 'What was found; null where it failed.' })
  measurement!: ZooMeasurementType | null;

  @Field(() => String, { nullable: true, description: 'Why it failed, such as too little memory on the device.' })
  error!: string | null;
}
