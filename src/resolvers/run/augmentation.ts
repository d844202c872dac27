import { ArrayMaxSize, ArrayMinSize, IsOptional, Max, Min, ValidateNested } from 'class-validator';
import { Field, Float, InputType, Int, ObjectType } from 'type-graphql';
import { AUGMENTATION_RANGES, NO_AUGMENTATION } from '../../training/augmentation/policy.js';

type Path = keyof typeof AUGMENTATION_RANGES;

/** Holds an input to what training allows. */
const Within = (path: Path): PropertyDecorator => {
  const { min, max } = AUGMENTATION_RANGES[path];
  return (target, key) => {
    Min(min)(target, key as string);
    Max(max)(target, key as string);
  };
};

/** `what`, with the ends of what is allowed. */
const described = (what: string, path: Path, rest = ''): string => {
  const { min, max } = AUGMENTATION_RANGES[path];
  return `${what}, ${min} to ${max}.${rest && ` ${rest}`}`;
};

const SCALE = 'Share of the area of the picture';
const RATIO = 'Ratio, drawn evenly on a logarithmic scale';

@ObjectType('CropScale', { description: 'Ends included.' })
@InputType('CropScaleInput', { description: 'Ends included.' })
export class CropScale {
  @Field(() => Float, { description: described(SCALE, 'randomResizedCrop.scale.min') })
  @Within('randomResizedCrop.scale.min')
  min!: number;

  @Field(() => Float, { description: described(SCALE, 'randomResizedCrop.scale.max') })
  @Within('randomResizedCrop.scale.max')
  max!: number;
}

@ObjectType('ErasedScale', { description: 'Ends included.' })
@InputType('ErasedScaleInput', { description: 'Ends included.' })
export class ErasedScale {
  @Field(() => Float, { description: described(SCALE, 'randomErasing.scale.min') })
  @Within('randomErasing.scale.min')
  min!: number;

  @Field(() => Float, { description: described(SCALE, 'randomErasing.scale.max') })
  @Within('randomErasing.scale.max')
  max!: number;
}

@ObjectType('AspectRatio', { description: 'Ends included.' })
@InputType('AspectRatioInput', { description: 'Ends included.' })
export class AspectRatio {
  @Field(() => Float, { description: described(RATIO, 'randomResizedCrop.ratio.min') })
  @Within('randomResizedCrop.ratio.min')
  min!: number;

  @Field(() => Float, { description: described(RATIO, 'randomResizedCrop.ratio.max') })
  @Within('randomResizedCrop.ratio.max')
  max!: number;
}

const RANDOM_RESIZED_CROP =
  "A random part of the picture, resized to the network's input, as torchvision's RandomResizedCrop.";

@ObjectType('RandomResizedCrop', { description: RANDOM_RESIZED_CROP })
@InputType('RandomResizedCropInput', { description: RANDOM_RESIZED_CROP })
export class RandomResizedCrop {
  @Field(() => CropScale, {
    defaultValue: { min: 0.08, max: 1 },
    description: "The part's share of the picture's area. Default: 0.08 to 1.",
  })
  @ValidateNested()
  scale!: CropScale;

  @Field(() => AspectRatio, {
    defaultValue: { min: 3 / 4, max: 4 / 3 },
    description:
      "The part's width over its height, in the picture as the network sees it: squeezed to the input's shape. Default: 3/4 to 4/3.",
  })
  @ValidateNested()
  ratio!: AspectRatio;
}

const SIDES = 'To either side, chosen evenly for each picture.';

@ObjectType('Translation', { description: SIDES })
@InputType('TranslationInput', { description: SIDES })
export class Translation {
  @Field(() => Float, { defaultValue: 0, description: described('Fraction of the width', 'translation.horizontal') })
  @Within('translation.horizontal')
  horizontal!: number;

  @Field(() => Float, { defaultValue: 0, description: described('Fraction of the height', 'translation.vertical') })
  @Within('translation.vertical')
  vertical!: number;
}

@ObjectType('Shear', { description: SIDES })
@InputType('ShearInput', { description: SIDES })
export class Shear {
  @Field(() => Float, { defaultValue: 0, description: described('Degrees along the x axis', 'shear.horizontal') })
  @Within('shear.horizontal')
  horizontal!: number;

  @Field(() => Float, { defaultValue: 0, description: described('Degrees along the y axis', 'shear.vertical') })
  @Within('shear.vertical')
  vertical!: number;
}

const COLOR_JITTER =
  "Brightness, contrast, saturation and hue, changed in random order, as torchvision's ColorJitter. An amount of b makes a factor from max(0, 1 - b) to 1 + b.";

@ObjectType('ColorJitter', { description: COLOR_JITTER })
@InputType('ColorJitterInput', { description: COLOR_JITTER })
export class ColorJitterType {
  @Field(() => Float, { defaultValue: 0, description: described('Amount', 'colorJitter.brightness') })
  @Within('colorJitter.brightness')
  brightness!: number;

  @Field(() => Float, { defaultValue: 0, description: described('Amount', 'colorJitter.contrast') })
  @Within('colorJitter.contrast')
  contrast!: number;

  @Field(() => Float, { defaultValue: 0, description: described('Amount', 'colorJitter.saturation') })
  @Within('colorJitter.saturation')
  saturation!: number;

  @Field(() => Float, { defaultValue: 0, description: described('Turns to either side', 'colorJitter.hue') })
  @Within('colorJitter.hue')
  hue!: number;
}

const RANDOM_ERASING = "A rectangle that is painted over, as torchvision's RandomErasing.";

@ObjectType('RandomErasing', { description: RANDOM_ERASING })
@InputType('RandomErasingInput', { description: RANDOM_ERASING })
export class RandomErasing {
  @Field(() => Float, { defaultValue: 0.5, description: described('How often', 'randomErasing.probability') })
  @Within('randomErasing.probability')
  probability!: number;

  @Field(() => ErasedScale, {
    defaultValue: { min: 0.02, max: 0.33 },
    description: "The rectangle's share of the picture's area. Default: 0.02 to 0.33.",
  })
  @ValidateNested()
  scale!: ErasedScale;

  @Field(() => AspectRatio, {
    defaultValue: { min: 0.3, max: 3.3 },
    description: "The rectangle's height over its width. Default: 0.3 to 3.3.",
  })
  @ValidateNested()
  ratio!: AspectRatio;

  @Field(() => Float, {
    defaultValue: 0,
    description: described(
      'What is painted, as the network reads it',
      'randomErasing.value',
      'Default: 0, the mean colour of its preprocessing.',
    ),
  })
  @Within('randomErasing.value')
  value!: number;
}

const AUGMENTATION =
  "How training pictures vary, anew in every epoch; applied in the order of the fields. The same seed, epoch and picture have the same variation. The parameters mean what they mean in torchvision. Validation pictures stay as they are, and the frozen layers' outputs of training pictures are not cached.";

@ObjectType('Augmentation', { description: AUGMENTATION })
@InputType('AugmentationInput', { description: `${AUGMENTATION} What is left out is off.` })
export class Augmentation {
  @Field(() => RandomResizedCrop, {
    nullable: true,
    description: 'Null: the part of the picture that validation sees.',
  })
  @IsOptional()
  @ValidateNested()
  randomResizedCrop?: RandomResizedCrop | null;

  @Field(() => Float, { defaultValue: 0, description: described('Probability of left for right', 'horizontalFlip') })
  @Within('horizontalFlip')
  horizontalFlip!: number;

  @Field(() => Float, { defaultValue: 0, description: described('Probability of upside down', 'verticalFlip') })
  @Within('verticalFlip')
  verticalFlip!: number;

  @Field(() => Float, {
    defaultValue: 0,
    description: described('Largest angle to either side in degrees', 'rotation'),
  })
  @Within('rotation')
  rotation!: number;

  @Field(() => Translation, { defaultValue: { ...NO_AUGMENTATION.translation }, description: 'Largest shifts.' })
  @ValidateNested()
  translation!: Translation;

  @Field(() => Shear, { defaultValue: { ...NO_AUGMENTATION.shear }, description: 'Largest shears.' })
  @ValidateNested()
  shear!: Shear;

  @Field(() => [Int], {
    defaultValue: [...NO_AUGMENTATION.fill],
    description:
      'Shown where a turned, shifted or sheared picture has nothing: red, green and blue, 0 to 255. Default: black.',
  })
  @ArrayMinSize(3)
  @ArrayMaxSize(3)
  @Min(0, { each: true })
  @Max(255, { each: true })
  fill!: number[];

  @Field(() => ColorJitterType, { nullable: true, description: 'Null: colours stay.' })
  @IsOptional()
  @ValidateNested()
  colorJitter?: ColorJitterType | null;

  @Field(() => Float, { defaultValue: 0, description: described('Probability of a grey picture', 'grayscale') })
  @Within('grayscale')
  grayscale!: number;

  @Field(() => RandomErasing, { nullable: true, description: 'Null: nothing is painted over.' })
  @IsOptional()
  @ValidateNested()
  randomErasing?: RandomErasing | null;

  @Field(() => Float, {
    defaultValue: 0,
    description: described(
      'MixUp (Zhang et al. 2018): alpha of the Beta distribution of the share',
      'mixup',
      'Blends each picture and its target with another one of its batch. 0 is off.',
    ),
  })
  @Within('mixup')
  mixup!: number;

  @Field(() => Float, {
    defaultValue: 0,
    description: described(
      'CutMix (Yun et al. 2019): alpha of the Beta distribution of the share that stays',
      'cutmix',
      'Pastes a rectangle of another picture of the batch and mixes the targets. 0 is off. With mixup as well, each picture has one of the two.',
    ),
  })
  @Within('cutmix')
  cutmix!: number;
}
