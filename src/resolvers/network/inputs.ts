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
  ValidateNested,
} from 'class-validator';
import { Field, Float, ID, InputType, Int } from 'type-graphql';
import { type LayerSelector, type NetworkSource, ServiceError } from '../../services/api.js';
import { given } from '../inputs.js';
import { ChannelOrderEnum, FitEnum, InterpolationEnum } from '../enums.js';
import { ReferenceInput } from './reference.js';

const LARGEST_SEED = 2 ** 31 - 1;
const LONGEST_NAME = 200;

@InputType({
  description:
    "How a picture becomes the network's input. What is left out is taken from the file or the architecture.",
})
export class PreprocessingInput {
  @Field(() => Int, { nullable: true, description: 'Height of the input, pixels.' })
  @IsOptional()
  @Min(1)
  @Max(4096)
  height?: number;

  @Field(() => Int, { nullable: true, description: 'Width of the input, pixels.' })
  @IsOptional()
  @Min(1)
  @Max(4096)
  width?: number;

  @Field(() => FitEnum, { nullable: true, description: 'How the picture is brought to that size.' })
  @IsOptional()
  @IsIn(Object.values(FitEnum))
  fit?: 'stretch' | 'centerCrop' | 'resizeThenCrop';

  @Field(() => Float, {
    nullable: true,
    description: 'Central part that is kept with CENTER_CROP and RESIZE_THEN_CROP, 0.05 to 1.',
  })
  @IsOptional()
  @Min(0.05)
  @Max(1)
  cropFraction?: number;

  @Field(() => InterpolationEnum, { nullable: true, description: 'How pixels are resampled.' })
  @IsOptional()
  @IsIn(Object.values(InterpolationEnum))
  interpolation?: 'bilinear' | 'cubic';

  @Field(() => ChannelOrderEnum, { nullable: true, description: 'Order of the channels.' })
  @IsOptional()
  @IsIn(Object.values(ChannelOrderEnum))
  channelOrder?: 'RGB' | 'BGR' | 'GREY';

  @Field(() => Float, { nullable: true, description: 'Divides the bytes.' })
  @IsOptional()
  @Min(1e-6)
  @Max(1e6)
  scale?: number;

  @Field(() => [Float], { nullable: true, description: 'Subtracted: three values, one a channel.' })
  @IsOptional()
  @ArrayMinSize(3)
  @ArrayMaxSize(3)
  mean?: [number, number, number];

  @Field(() => [Float], { nullable: true, description: 'Divides: three values above 0, one a channel.' })
  @IsOptional()
  @ArrayMinSize(3)
  @ArrayMaxSize(3)
  @Min(1e-6, { each: true })
  std?: [number, number, number];
}

@InputType({ description: 'A file of a repository on the Hugging Face hub.' })
export class HuggingFaceSourceInput {
  @Field({ description: '`owner/name`.' })
  @IsNotEmpty()
  @MaxLength(LONGEST_NAME)
  repository!: string;

  @Field(() => String, { nullable: true, description: 'A branch, a tag or a commit; default `main`.' })
  @IsOptional()
  @IsNotEmpty()
  @MaxLength(LONGEST_NAME)
  revision?: string;

  @Field(() => String, {
    nullable: true,
    description: 'Path of the model in the repository; default: the one whose name is that of a model.',
  })
  @IsOptional()
  @IsNotEmpty()
  @MaxLength(1000)
  file?: string;
}

@InputType({ description: 'A file or a folder of an npm package.' })
export class NpmSourceInput {
  @Field({ description: "The package's name." })
  @IsNotEmpty()
  @MaxLength(LONGEST_NAME)
  package!: string;

  @Field(() => String, { nullable: true, description: 'A version or a tag; default `latest`.' })
  @IsOptional()
  @IsNotEmpty()
  @MaxLength(LONGEST_NAME)
  version?: string;

  @Field({ description: 'Path of the model inside the package: a file, or a folder with all files of one model.' })
  @IsNotEmpty()
  @MaxLength(1000)
  path!: string;
}

@InputType({ description: "Where a network's files are fetched from. Exactly one field is given." })
export class NetworkSourceInput {
  @Field(() => String, {
    nullable: true,
    description:
      'An http or https address of the public internet; the shards of a TF.js model are fetched from beside it.',
  })
  @IsOptional()
  @IsNotEmpty()
  @MaxLength(4000)
  url?: string;

  @Field(() => String, {
    nullable: true,
    description: 'SHA-256 of the file at `url`, 64 hexadecimal digits: it is checked then, and kept in the cache.',
  })
  @IsOptional()
  @MaxLength(64)
  sha256?: string;

  @Field(() => HuggingFaceSourceInput, { nullable: true, description: 'A repository on the Hugging Face hub.' })
  @IsOptional()
  @ValidateNested()
  huggingFace?: HuggingFaceSourceInput;

  @Field(() => NpmSourceInput, { nullable: true, description: 'An npm package.' })
  @IsOptional()
  @ValidateNested()
  npm?: NpmSourceInput;

  /** The services' form: what was not given is absent at every depth. */
  static toSource(input: NetworkSourceInput): NetworkSource {
    const { url, sha256, huggingFace, npm } = given(input);
    return {
      ...(url === undefined ? {} : { url }),
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(huggingFace ? { huggingFace: given(huggingFace) } : {}),
      ...(npm ? { npm: given(npm) } : {}),
    };
  }
}

@InputType({ description: 'A network from files: either `uploadIds` or `source` says which.' })
export class ImportNetworkInput {
  @Field({ description: 'For people.' })
  @IsNotEmpty()
  @MaxLength(LONGEST_NAME)
  name!: string;

  @Field(() => [ID], {
    nullable: true,
    description:
      'An ONNX file, a PyTorch checkpoint or safetensors file, a Keras .h5 or .keras file, a TensorFlow Lite file, a TF.js layers-model or graph-model (model.json with its shards), or the files of an exported folder; or a zip of them.',
  })
  @IsOptional()
  @ArrayMinSize(1)
  @ArrayMaxSize(256)
  @ArrayUnique()
  uploadIds?: string[];

  @Field(() => NetworkSourceInput, { nullable: true, description: 'Fetched by the server.' })
  @IsOptional()
  @ValidateNested()
  source?: NetworkSourceInput;

  @Field(() => ID, {
    nullable: true,
    description: 'A name that you choose for the download, for `downloadProgress` and `cancelDownload`.',
  })
  @IsOptional()
  @IsNotEmpty()
  @MaxLength(100)
  operationId?: string;

  @Field(() => ReferenceInput, {
    nullable: true,
    description: 'Computed and compared: the receipt of the first revision says how far the network is from it.',
  })
  @IsOptional()
  @ValidateNested()
  reference?: ReferenceInput;

  @Field(() => PreprocessingInput, { nullable: true, description: 'Where the file does not say it.' })
  @IsOptional()
  @ValidateNested()
  preprocessing?: PreprocessingInput;

  @Field(() => [String], { nullable: true, description: 'Labels of the outputs in order.' })
  @IsOptional()
  @ArrayMinSize(1)
  @ArrayMaxSize(100_000)
  @IsNotEmpty({ each: true })
  @MaxLength(LONGEST_NAME, { each: true })
  classes?: string[];

  @Field({
    nullable: true,
    description:
      'The built-in architecture of a file that holds weights alone; by default it is recognised by their names and shapes.',
  })
  @IsOptional()
  @IsNotEmpty()
  @MaxLength(LONGEST_NAME)
  architecture?: string;
}

@InputType({ description: 'A new head for a network: either `classes` or `datasetId` says its outputs.' })
export class ReplaceHeadInput {
  @Field(() => ID, { description: 'The network; its newest revision is edited.' })
  networkId!: string;

  @Field(() => [String], { nullable: true, description: 'Labels of the new outputs.' })
  @IsOptional()
  @ArrayMinSize(2)
  @ArrayMaxSize(100_000)
  @ArrayUnique()
  @IsNotEmpty({ each: true })
  @MaxLength(LONGEST_NAME, { each: true })
  classes?: string[];

  @Field(() => ID, { nullable: true, description: 'Data set whose classes become the outputs.' })
  @IsOptional()
  datasetId?: string;

  @Field({
    defaultValue: false,
    description: 'True keeps the layers between the last pooling and the classifier; false drops them.',
  })
  keepLayersAfterPooling!: boolean;

  @Field({
    defaultValue: false,
    description: 'Keeps classifiers in the middle that take part in training, with the new outputs; else they go.',
  })
  keepAuxiliaryHeads!: boolean;

  @Field(() => Float, {
    nullable: true,
    description: 'Share of values that dropout sets to zero before the classifier, below 1.',
  })
  @IsOptional()
  @Min(0)
  @Max(0.95)
  dropout?: number;

  @Field(() => Int, { nullable: true, description: 'Adds a hidden layer with ReLU of that many units.' })
  @IsOptional()
  @Min(1)
  @Max(16_384)
  hiddenUnits?: number;

  @Field(() => Int, { nullable: true, description: 'Seed of the new weights.' })
  @IsOptional()
  @Min(0)
  @Max(LARGEST_SEED)
  seed?: number;
}

@InputType({ description: 'Fresh weights for a network.' })
export class RandomizeWeightsInput {
  @Field(() => ID, { description: 'The network; its newest revision is edited.' })
  networkId!: string;

  @Field(() => Int, { nullable: true, description: 'Seed of the new weights.' })
  @IsOptional()
  @Min(0)
  @Max(LARGEST_SEED)
  seed?: number;
}

@InputType({ description: 'Some layers of a network. Exactly one field is given.' })
export class LayerSelectorInput {
  @Field(() => [String], { nullable: true, description: 'Layers by name.' })
  @IsOptional()
  @ArrayMinSize(1)
  @ArrayMaxSize(10_000)
  names?: string[];

  @Field(() => String, { nullable: true, description: 'This layer and everything that it depends on.' })
  @IsOptional()
  @MaxLength(1000)
  upTo?: string;

  @Field(() => String, {
    nullable: true,
    description: 'Layers whose name matches; `*` stands for any text, `?` for one character.',
  })
  @IsOptional()
  @MaxLength(1000)
  pattern?: string;

  @Field(() => Boolean, { nullable: true, description: 'True: every layer.' })
  @IsOptional()
  @IsIn([true])
  all?: boolean;

  /** The services' form. Throws BAD_USER_INPUT unless exactly one field is given. */
  static toSelector({ names, upTo, pattern, all }: LayerSelectorInput): LayerSelector {
    const given = [
      names && { names },
      upTo != null && { upTo },
      pattern != null && { pattern },
      all && { all: true as const },
    ].filter((selector) => selector !== false && selector != null);
    if (given.length !== 1) {
      throw new ServiceError(
        'BAD_USER_INPUT',
        `Layers are selected by exactly one of names, upTo, pattern or all; ${given.length} were given.`,
      );
    }
    return given[0] as LayerSelector;
  }
}

@InputType({ description: 'Layers to freeze or unfreeze.' })
export class FreezeInput {
  @Field(() => ID, { description: 'The network; its newest revision is edited.' })
  networkId!: string;

  @Field(() => LayerSelectorInput, { description: 'Which layers.' })
  @ValidateNested()
  layers!: LayerSelectorInput;
}

@InputType({ description: 'Layers that learn faster or slower than the rest.' })
export class SetLearningRateFactorInput {
  @Field(() => ID, { description: 'The network; its newest revision is edited.' })
  networkId!: string;

  @Field(() => LayerSelectorInput, { description: 'Which layers.' })
  @ValidateNested()
  layers!: LayerSelectorInput;

  @Field(() => Float, { description: "Multiplies the run's learning rate, 0 to 1000; 0 freezes." })
  @Min(0)
  @Max(1000)
  factor!: number;
}

@InputType({ description: 'A new network that begins as a revision of another.' })
export class ForkNetworkInput {
  @Field(() => ID, { description: 'Where it begins.' })
  revisionId!: string;

  @Field({ description: 'Name of the new network.' })
  @IsNotEmpty()
  @MaxLength(LONGEST_NAME)
  name!: string;
}
